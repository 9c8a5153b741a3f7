"""Reporting: the star schema `mart` that BI tools read, and the indicators computed from it.

Owns what the numbers mean: grain, population, clock and zone of each. Announces nothing, decides nothing, and never
asks another service: every row comes from events.
"""
