"""From an incident's opening on the bus to the start of its clocks on the bus, at a steady rate."""

import asyncio
from typing import Final

from bench import load, losses, measuring, whole
from bench.bench import Bench
from bench.case import Case
from bench.cases.commit_to_bus import commit_instants, since_commit, watch
from bench.measuring import percentile
from bench.platform import Platform
from bench.results import Measurement

_P99_MS: Final = 60.0
_PATIENCE_SECONDS: Final = 60.0


async def run(bench: Bench) -> None:
    """All services run; a process outside them listens to the bus."""
    rate, seconds = bench.sizes.reactor_rate, bench.sizes.reactor_seconds
    async with bench.platform() as platform:
        await commit_instants(platform)
        await platform.start(*whole.every_service())
        since = await losses.mark(platform, whole.every_service())
        accepted = await whole.warm(bench, platform)
        await whole.wait_until_drained(platform, _PATIENCE_SECONDS)
        bench.tell(f"{rate} openings a second")
        count = round(rate * seconds)
        openings = asyncio.create_task(watch(platform, "IncidentOpened", count))
        starts = asyncio.create_task(watch(platform, "SLAClockStarted", losses.CLOCKS * count))
        await asyncio.sleep(1.0)  # they subscribe
        request = whole.opening(platform, bench.sizes.command_body_bytes, "reactor")
        before = platform.cpu()
        loaded = await load.paced(platform.service_url("incident"), request, rate=rate, seconds=seconds)
        accepted += whole.ids(loaded)
        opened, started = await openings, await starts
        await whole.wait_until_drained(platform, _PATIENCE_SECONDS)
        spent = measuring.used(before, platform.cpu())
        way = await since_commit(platform, "incident", opened)
        latencies = await _since_cause(platform, opened, started)
        bench.fail(await losses.after(platform, accepted, whole.every_service(), since))
    p50, p99 = (percentile(latencies, q) for q in (0.5, 0.99))
    limit = 2 * percentile(way, 0.99)
    bench.record(
        Measurement(
            "reactor",
            f"p99 from IncidentOpened to SLAClockStarted, {rate}/s",
            p99,
            "ms",
            limit,
            p99 / limit,
            f"< {_P99_MS:.0f} ms",
            p99 < _P99_MS,
            p50,
            p99,
            sum(spent.values()) * 1000 / max(1, loaded.accepted),
            note=f"{len(latencies):,} clocks of {loaded.accepted:,} incidents; the limit's p50 is "
            f"{2 * percentile(way, 0.5):.2f} ms; CPU of all services until everything was applied",
        )
    )


async def _since_cause(platform: Platform, opened: dict[str, float], started: dict[str, float]) -> list[float]:
    """Milliseconds from each opening's arrival to the arrival of each of its clocks."""
    async with platform.database("sla") as connection:
        rows = await connection.fetch(
            "select id::text, convert_from(body, 'UTF8')::jsonb ->> 'causationid' as cause from es.event"
            " where id = any($1::uuid[])",
            list(started),
        )
    return [(started[row["id"]] - opened[row["cause"]]) * 1000 for row in rows if row["cause"] in opened]


CASE: Final = Case(
    "reactor",
    "Twice the way from commit to bus, measured in the same load: a reaction is at best one more commit and one more "
    "publication.",
    run,
)
