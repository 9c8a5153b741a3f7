"""Exact subscriptions: every event of some contexts is applied once, in order, with its checkpoint (D7).

Owns consuming from JetStream. Refuses to lose, double or reorder an event, and to drop one in silence.
"""

from opsledger_runtime.subscriptions.checkpoint import Checkpoint, wait_applied
from opsledger_runtime.subscriptions.parking import Parked, Retried, discard_parked, list_parked, retry_parked
from opsledger_runtime.subscriptions.subscriber import Subscriber
from opsledger_runtime.subscriptions.subscription import Handler, Subscription

__all__ = [
    "Checkpoint",
    "Handler",
    "Parked",
    "Retried",
    "Subscriber",
    "Subscription",
    "discard_parked",
    "list_parked",
    "retry_parked",
    "wait_applied",
]
