"""Prometheus metrics of the process (D16). Owns their names; services add gauges of their own through `Doors.gauge`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client import Gauge as Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics import MetricWrapperBase

from opsledger_runtime.clock import monotonic

if TYPE_CHECKING:
    from opsledger_runtime.running import Running

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SCRAPE_SECONDS: Final = 3.0
_FRESH_SECONDS: Final = 1.0

COMMANDS: Final = Counter(
    "opsledger_commands",
    "Commands by action and outcome (accepted, replayed, refused, failed)",
    ["context", "action", "outcome"],
)
REFUSED: Final = Counter("opsledger_refused_commands", "Refused commands by reason", ["context", "action", "code"])
REQUESTS: Final = Histogram(
    "opsledger_request_seconds",
    "Duration of requests",
    ["context", "method", "route", "status"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
COMMANDS_IN_FLIGHT: Final = Metric("opsledger_commands_in_flight", "Commands running or waiting", ["context"])


_M = TypeVar("_M", bound=MetricWrapperBase)


@cache
def child(metric: _M, *labels: str) -> _M:
    """As `metric.labels`, found by one look into a dictionary; there are as many as the metric itself keeps."""
    return metric.labels(*labels)


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number that a service reads at each scrape."""

    name: str
    help_text: str
    labels: tuple[str, ...]
    read: Callable[[], Awaitable[Mapping[Any, float]]]


class Exposition:
    """What `/metrics` answers; read anew at most once a second, since whoever reaches the port may ask."""

    def __init__(self, runnings: Sequence["Running"]) -> None:
        self._runnings = runnings
        self._read_at = float("-inf")
        self._kept = b""
        self._reading = asyncio.Lock()

    async def read(self) -> bytes:
        """Prometheus' text format."""
        async with self._reading:
            if monotonic() - self._read_at >= _FRESH_SECONDS:
                self._kept = await exposition(self._runnings)
                self._read_at = monotonic()
            return self._kept


async def exposition(runnings: Sequence["Running"]) -> bytes:
    """Everything in Prometheus' text format. What cannot be read just now is left out and logged."""
    found = _Found()
    for running in runnings:
        for read in (_relay, _subscriptions, _timers, _own):
            try:
                async with asyncio.timeout(_SCRAPE_SECONDS):
                    await read(running, found)
            except Exception as error:  # a scrape shows what it can; the missing series is what warns
                structlog.get_logger().warning(
                    "metric_unreadable", context=running.context, of=read.__name__, error=repr(error)
                )
    registry = CollectorRegistry()
    registry.register(found)
    return generate_latest() + generate_latest(registry)


class _Found:
    """Values read for one scrape, by metric."""

    def __init__(self) -> None:
        self._families: dict[str, GaugeMetricFamily] = {}

    def add(self, name: str, help_text: str, labels: Mapping[str, str], value: float) -> None:
        full = f"opsledger_{name}"
        family = self._families.get(full)
        if family is None:
            family = self._families[full] = GaugeMetricFamily(full, help_text, labels=list(labels))
        family.add_metric(list(labels.values()), value)

    def collect(self) -> list[GaugeMetricFamily]:
        return list(self._families.values())


async def _relay(running: "Running", found: _Found) -> None:
    status = running.relay.status()
    at = {"context": running.context}
    found.add("relay_outbox", "Events that wait for the relay", at, status.get("outbox") or 0)
    found.add(
        "relay_oldest_seconds",
        "Age of the oldest event that waits for the relay",
        at,
        status.get("oldest_seconds") or 0,
    )
    found.add("relay_published", "Last publication number on the bus", at, status.get("published") or 0)
    found.add(
        "relay_accepting", "0 while the store is behind the bus and takes no command", at, float(accepting(running))
    )


async def _subscriptions(running: "Running", found: _Found) -> None:
    for subscriber in running.subscribers:
        status = await subscriber.status()
        at = {"context": running.context, "subscription": str(status["name"])}
        found.add("parked_events", "Events set aside after an error, for an operator", at, status.get("parked") or 0)
        for context, applied in (status.get("sequences") or {}).items():
            mark = running.watermarks.of(context)
            if mark is not None:
                found.add(
                    "subscription_lag_events",
                    "Events announced by a context's relay and not yet applied",
                    {**at, "of": context},
                    max(0, mark.last - applied),
                )


async def _timers(running: "Running", found: _Found) -> None:
    if not running.service.timers:
        return
    now = running.clock.now()
    for queue in await running.timer_worker.status():
        at = {"context": running.context, "queue": str(queue["queue"])}
        found.add("timers", "Timers that are set", at, queue.get("count") or 0)
        due = queue.get("next_due")
        instant = datetime.fromisoformat(due) if isinstance(due, str) else due
        late = max(0.0, (now - instant).total_seconds()) if instant is not None else 0.0
        found.add("timer_lateness_seconds", "How long the next timer has been due, in domain time", at, late)


async def _own(running: "Running", found: _Found) -> None:
    for gauge in running.doors.gauges:
        for values, value in (await gauge.read()).items():
            labelled = values if isinstance(values, tuple) else (values,)
            names = dict(zip(gauge.labels, (str(label) for label in labelled), strict=True))
            found.add(gauge.name, gauge.help_text, {"context": running.context, **names}, value)


def accepting(running: "Running") -> bool:
    """Whether the relay lets the service take commands: not while the bus is ahead of the store (D2)."""
    return bool(getattr(running.relay, "accepting", True))
