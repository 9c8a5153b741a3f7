"""Service level agreements: calendars, agreements, the clocks that run on them (R89, R94), and promises (R13, R18).

Owns targets, working time, warnings and breaches. It does not own incidents (it learns of them from their events),
and it sends no message: whoever wants to tell people subscribes to what is announced here.
"""
