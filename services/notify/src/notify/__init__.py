"""The notify context: who is told what, in which words, and what became of every notice.

Owns contacts, teams, rules, wordings and deliveries. Does not own incidents or clocks: what it knows of them it has
from their events. Refuses to drop a notice in silence: one that reaches nobody is recorded as unroutable.
"""
