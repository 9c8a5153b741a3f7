"""Metrics of subscriptions, in Prometheus' default registry. Labels name services and subscriptions, never ids."""

from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Gauge

_LABELS: Final = ("service", "subscription")

EVENTS: Final = Counter("opsledger_subscription_events", "Events taken in their turn, handled or skipped", _LABELS)
PARKED: Final = Counter("opsledger_subscription_parked", "Events set aside with an error or behind one", _LABELS)
GAPS: Final = Counter("opsledger_subscription_gaps", "Times a publication number was missing", (*_LABELS, "source"))
FAILURES: Final = Counter("opsledger_subscription_failures", "Transient failures that were retried", _LABELS)
RESYNCS: Final = Counter("opsledger_subscription_resyncs", "Times the consumer was set to the checkpoint", _LABELS)
LEADING: Final = Gauge("opsledger_subscription_leading", "1 where this process holds the lease", _LABELS)
BEHIND: Final = Gauge("opsledger_subscription_behind", "Messages that the consumer has not delivered yet", _LABELS)


def counted(service: str, subscription: str) -> Callable[[int, int], None]:
    """Counts what a committed batch held: events, and how many of them were parked."""
    applied, aside = EVENTS.labels(service, subscription), PARKED.labels(service, subscription)

    def count(events: int, parked: int) -> None:
        if events > 0:
            applied.inc(events)
        if parked:
            aside.inc(parked)

    return count
