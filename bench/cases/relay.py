"""Draining a backlog: events that were written while no relay ran, numbered, chained and published."""

import asyncio
from typing import Final

from bench import apart, history, losses, measuring
from bench.bench import Bench
from bench.case import Case
from bench.measuring import Stopwatch
from bench.platform import Platform
from bench.results import Measurement
from opsledger_events.subjects import context_subjects
from opsledger_runtime.clock import monotonic

_ALONE: Final = "incident"
_SHARE: Final = 0.6
_LOOK_SECONDS: Final = 0.02
_PATIENCE_SECONDS: Final = 300.0


async def run(bench: Bench) -> None:
    """Write the backlog, start the one service, and watch the stream fill."""
    async with bench.platform() as platform:
        bench.tell(f"writing {bench.sizes.relay_backlog:,} events")
        filled = await history.fill(platform, incidents=bench.sizes.relay_backlog // 2, open_last=0)
        bench.tell(f"draining {filled.events:,} events")
        starting = asyncio.create_task(platform.start(_ALONE))
        first, begun = await _numbered(platform, 1)
        before = platform.cpu()
        _, ended = await _numbered(platform, filled.events)
        spent = measuring.used(before, platform.cpu())
        await starting
        bench.fail(await losses.after(platform, (), (_ALONE,)))
        await platform.stop(_ALONE)
        drained, seconds = filled.events - first, ended - begun
        bench.tell("its limit")
        url, user, password = platform.servers.admin()
        login = {"url": url, "user": user, "password": password}
        given = {"database": platform.access(_ALONE).owner_database_url, "events": drained, **login}
        outcome = await apart.run("bench.cases.relay_limit:publish", given, timeout=_PATIENCE_SECONDS)
    rate, limit = drained / seconds, drained / outcome.value["seconds"]
    bench.record(
        Measurement(
            "relay",
            f"drain {drained:,} events",
            rate,
            "events/s",
            limit,
            rate / limit,
            f">= {_SHARE} of the limit",
            rate / limit >= _SHARE,
            cpu_ms=sum(spent.values()) * 1000 / drained,
            note="CPU ms: "
            + ", ".join(f"{name} {used * 1000 / drained:.3f}" for name, used in spent.items())
            + f"; limit: publisher {outcome.cpu_seconds * 1000 / drained:.3f}",
        )
    )


async def _numbered(platform: Platform, wanted: int) -> tuple[int, float]:
    """Wait until the stream has so many of the context's events; how many it has, and when."""
    async with platform.admin_nats() as client:
        js = client.jetstream()
        with Stopwatch() as watch:
            while watch.seconds < _PATIENCE_SECONDS:
                info = await js.stream_info("EVENTS", subjects_filter=context_subjects(_ALONE))
                there = sum((info.state.subjects or {}).values())
                if there >= wanted:
                    return there, monotonic()
                await asyncio.sleep(_LOOK_SECONDS)
    raise TimeoutError(f"{wanted:,} events were not on the stream after {_PATIENCE_SECONDS:.0f} s")


CASE: Final = Case(
    "relay",
    "Atomic batches of the same bytes and headers, sent by nats-py to the same stream, each awaited before the next: "
    "whoever keeps an order that no failure can break has to wait for the stream after every batch.",
    run,
)
