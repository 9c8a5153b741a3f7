"""Metrics of subscriptions, in Prometheus' default registry. Labels name services and subscriptions, never ids."""

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


def applied(service: str, subscription: str, events: int, parked: int) -> None:
    """Count what a committed batch held."""
    if events > 0:
        EVENTS.labels(service, subscription).inc(events)
    if parked:
        PARKED.labels(service, subscription).inc(parked)
