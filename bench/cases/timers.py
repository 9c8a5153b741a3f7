"""Many breaches due in one second, many other clocks running: when is each announced on the bus?"""

import asyncio
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from bench import apart, measuring, whole
from bench.bench import Bench
from bench.case import Case
from bench.measuring import percentile
from bench.platform import Platform
from bench.results import Measurement
from incident.app import SERVICE
from incident.domain.commands import OpenIncident
from incident.domain.decider import DECIDER
from incident.numbers import next_numbers
from opsledger_runtime import ids
from opsledger_runtime.clock import OffsetClock, machine_time, set_offset
from opsledger_runtime.store import EventStore, Loaded, Metadata

_RESPONSE: Final = timedelta(minutes=15)
_WARNED: Final = timedelta(minutes=12)
"""The default agreement's target of priority 1, and a time when its warning at 75 % is over."""

_BEFORE: Final = timedelta(seconds=3)
_SECONDS: Final = 1.5
_BATCH: Final = 500
_PATIENCE_SECONDS: Final = 300.0


async def run(bench: Bench) -> None:
    """Open incidents an hour in the past, so to speak, move the clock to just before they are due, and watch."""
    due, other = bench.sizes.timers_due, bench.sizes.timers_other
    async with bench.platform() as platform:
        await platform.start("incident", "sla")
        begun = OffsetClock(platform.clock_file).now()
        # Each incident has two clocks: of those that are due, the resolution runs on.
        quiet = max(0, other - due) // 2
        bench.tell(f"opening {due + quiet:,} incidents")
        instants = [begun + timedelta(seconds=index / due) for index in range(due)]
        await _open(platform, "due", 1, instants)
        await _open(platform, "other", 3, [begun] * quiet)
        bench.tell("waiting for the last of their clocks")
        await whole.wait_until_drained(platform, _PATIENCE_SECONDS)
        bench.tell("letting their warnings pass")
        await _announced(platform, begun + _WARNED)
        await whole.wait_until_drained(platform, _PATIENCE_SECONDS)
        bench.tell(f"{due:,} breaches within a second")
        before = platform.cpu()
        late = await _breaches(platform, begun + _RESPONSE, due)
        spent = measuring.used(before, platform.cpu())
        bench.tell("its limit")
        limit = await apart.run(
            "bench.cases.timers_limit:claim",
            {"url": platform.access("sla").owner_database_url, "due": due, "other": other},
            timeout=_PATIENCE_SECONDS,
        )
    if len(late) != due:
        bench.fail([f"{due:,} breaches were due and {len(late):,} were announced"])
    claimed = max(limit.value["late_ms"]) / 1000
    last = max(late) / 1000
    bench.record(
        Measurement(
            "timers",
            f"{due:,} breaches due within a second, {other:,} other clocks: the last on the bus",
            last,
            "s after it was due",
            claimed,
            last / claimed,
            f"<= {_SECONDS} s",
            last <= _SECONDS,
            percentile(late, 0.5),
            percentile(late, 0.99),
            sum(spent.values()) * 1000 / due,
            note="CPU ms: "
            + ", ".join(f"{name} {seconds * 1000 / due:.2f}" for name, seconds in spent.items())
            + f"; limit: p99 {percentile(limit.value['late_ms'], 0.99):.0f} ms",
        )
    )


async def _open(platform: Platform, name: str, level: int, instants: list[datetime]) -> None:
    settings = platform.settings("incident")
    async with asyncpg.create_pool(
        settings.database_url, min_size=1, max_size=1, server_settings={"search_path": "incident, es"}
    ) as pool:
        clock = OffsetClock(platform.clock_file)
        store = EventStore("incident", settings.installation, pool, clock, SERVICE.inline)
        for first in range(0, len(instants), _BATCH):
            async with store.transaction() as tx:
                chosen = instants[first : first + _BATCH]
                numbers = await next_numbers(tx.connection, len(chosen))
                for index, (number, instant) in enumerate(zip(numbers, chosen, strict=True), first):
                    incident = str(ids.derived_id("bench", "timers", name, str(index)))
                    command = OpenIncident(number, f"{name} {index}", level, level, channel="phone")
                    metadata = Metadata(ids.derived_id("bench", incident), "service:bench")
                    loaded = Loaded(DECIDER.initial_state)
                    await tx.execute(DECIDER, incident, command, metadata, time=instant, loaded=loaded)


async def _announced(platform: Platform, instant: datetime) -> None:
    """Move domain time to an instant."""
    set_offset(platform.clock_file, instant - machine_time())
    await asyncio.sleep(1.5)  # until every process has noticed


async def _breaches(platform: Platform, instant: datetime, due: int) -> list[float]:
    offset = instant - _BEFORE - machine_time()
    url, user, password = platform.servers.admin()
    given = {"url": url, "user": user, "password": password, "count": due, "offset_seconds": offset.total_seconds()}
    watching = asyncio.create_task(apart.run("bench.cases.timers_limit:watch", given, timeout=_PATIENCE_SECONDS))
    await asyncio.sleep(1.0)  # it subscribes; the breaches are three seconds away once the clock is moved
    set_offset(platform.clock_file, offset)
    return list((await watching).value["late_ms"])


CASE: Final = Case(
    "timers",
    "The same rows, due within the same second, claimed and deleted with SKIP LOCKED in batches of 200 by bare asyncpg "
    "and committed: nothing that fires from Postgres can be earlier than the claim of its row.",
    run,
)
