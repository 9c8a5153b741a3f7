"""Configuration items: what there is, who answers for it (R34), and what depends on what.

Owns items, their classes, and their relations as facts with a beginning and an end. It does not own teams and people
(opaque ids here), tells nobody, and judges no incident: whoever wants to know what a failure reaches asks it.
"""
