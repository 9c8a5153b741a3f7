"""Plumbing of an event-sourced service: it knows events, commands and time, and no business word.

Owns the event store, the relay to JetStream, exact subscriptions, timers and the HTTP doors. Refuses to know
what any event means.
"""
