"""The mart rebuilt from the stream by the process `reporting`, then its lag while incidents are opened."""

import asyncio
import json
from bisect import bisect_left
from typing import Any, Final

import asyncpg

from bench import apart, load, measuring, whole
from bench.bench import Bench
from bench.case import Case
from bench.measuring import Stopwatch, percentile
from bench.platform import Platform
from bench.results import Measurement
from opsledger_events.subjects import STREAM
from opsledger_runtime.clock import machine_time
from reporting.projections.mart import MART, SUBSCRIPTION

_STAY_OPEN: Final = 5_000
"""How many of a generated history have one event; all others have two."""

_AIM: Final = 20_000
_RATIO: Final = 0.4
_LAG_MS: Final = 250.0
_LOOK_SECONDS: Final = 0.005
_FETCHED: Final = 150_000
_PATIENCE_SECONDS: Final = 300.0

_APPLIED: Final = "select sequence, recorded_at from reporting.progress where source_context = 'incident'"
_FORGET: Final = f"""
truncate {", ".join(f"mart.{table.name}" for table in MART.tables)};
delete from es.checkpoint where subscription = 'mart';
update reporting.progress set sequence = null, event_at = null, recorded_at = null
"""

_STAND: Final = """
update es.checkpoint set stream_sequence = $1, message_id = $2, sequences = sequences || $3::jsonb
where subscription = 'mart'
"""


async def run(bench: Bench) -> None:
    """Rebuild and its two limits, then the lag."""
    async with bench.filled((bench.sizes.projection_events + _STAY_OPEN + 1) // 2) as platform:
        await _rebuild(bench, platform)
        await _skip(platform)
        await _lag(bench, platform)


async def _rebuild(bench: Bench, platform: Platform) -> None:
    events = bench.sizes.projection_events
    await platform.migrate("reporting")
    async with platform.database("reporting") as owner:
        await owner.execute(_FORGET)
        bench.tell("a bare fetch of the stream")
        fetched = await _fetch(platform, min(events, _FETCHED))
        bench.tell(f"rebuilding the mart from {events:,} events")
        before = platform.cpu()
        await platform.start("reporting")
        seen = await _watch(owner, events)
        used = measuring.used({"reporting": 0.0, **before}, platform.cpu())
        memory = platform.resident()["reporting"]
        await platform.stop("reporting")
        first, last = seen[0], seen[-1]
        rate = (last[1] - first[1]) / (last[0] - first[0])
        bench.tell("the same rows by COPY")
        outcome = await apart.run(
            "bench.cases.projection_limit:write",
            {"url": platform.access("reporting").owner_database_url, "transactions": -(-last[1] // SUBSCRIPTION.batch)},
        )
        written = last[1] / outcome.value["seconds"]
    limit = min(fetched, written)
    spent = {name: used[name] * 1000 / last[1] for name in ("reporting", "postgres", "nats")}
    bench.record(
        Measurement(
            "projection",
            f"mart rebuilt from {last[1]:,} events of the stream ({outcome.value['rows']:,} rows)",
            rate,
            "events/s",
            limit,
            rate / limit,
            f">= {_AIM:,} and >= {_RATIO}",
            rate >= _AIM and rate >= _RATIO * limit,
            cpu_ms=sum(spent.values()),
            memory_mib=memory,
            note=f"limits: bare fetch {fetched:,.0f}, the same rows by COPY {written:,.0f} events/s; CPU ms: "
            + ", ".join(f"{name} {value:.3f}" for name, value in spent.items()),
        )
    )


async def _fetch(platform: Platform, events: int) -> float:
    url, user, password = platform.servers.admin()
    given = {"url": url, "user": user, "password": password, "events": events, "batch": SUBSCRIPTION.batch}
    found = (await apart.run("bench.cases.projection_limit:fetch", given)).value
    return float(found["events"] / found["seconds"])


async def _watch(connection: Any, events: int) -> list[tuple[float, int]]:
    """Instants and how many events were applied by then, from the first batch to the last."""
    seen: list[tuple[float, int]] = []
    with Stopwatch() as watch:
        while not seen or seen[-1][1] < events:
            sequence = await connection.fetchval(_APPLIED)
            if sequence is not None:
                seen.append((watch.seconds, sequence))
            if watch.seconds > _PATIENCE_SECONDS:
                raise TimeoutError(f"{seen[-1][1] if seen else 0:,} of {events:,} events after {watch.seconds:.0f} s")
            await asyncio.sleep(0.1)
    return seen


async def _skip(platform: Platform) -> None:
    """Let the mart stand at the end of the stream: what is left of the history takes a minute and shows nothing new."""
    async with platform.admin_nats() as client, platform.database("incident") as source:
        js = client.jetstream()
        end = (await js.stream_info(STREAM)).state.last_seq
        headers = (await js.get_msg(STREAM, end)).headers or {}
        no = await source.fetchval("select max(no) from es.publication")
    async with platform.database("reporting") as owner:
        await owner.execute(_STAND, end, headers["Nats-Msg-Id"], json.dumps({"incident": no}))


async def _lag(bench: Bench, platform: Platform) -> None:
    rate, seconds = bench.sizes.projection_live_rate, bench.sizes.projection_live_seconds
    bench.tell("letting the mart stand at the end of the stream")
    await platform.start("incident", "reporting")
    await whole.wait_until_drained(platform, _PATIENCE_SECONDS)
    await whole.warm(bench, platform, "projection-warm")
    await whole.wait_until_drained(platform, _PATIENCE_SECONDS)
    async with platform.database("incident") as source, platform.database("reporting") as owner:
        begun = await source.fetchval("select max(no) from es.publication")
        bench.tell(f"{rate:,} incidents a second")
        request = whole.opening(platform, bench.sizes.command_body_bytes, "projection")
        over = asyncio.Event()
        looking = asyncio.create_task(_look(owner, over))
        before = platform.cpu()
        loaded = await load.paced(platform.service_url("incident"), request, rate=rate, seconds=seconds)
        used = measuring.used(before, platform.cpu())
        await whole.wait_until_drained(platform, _PATIENCE_SECONDS)
        over.set()
        seen = await looking
        rows = await source.fetch(
            "select p.no, e.recordedtime from es.publication p join es.event e on e.id = p.event where p.no > $1", begun
        )
    lags = _lags(rows, seen)
    if len(lags) != len(rows) or loaded.accepted > len(rows):
        bench.fail([f"{loaded.accepted:,} were accepted, {len(rows):,} announced, {len(lags):,} seen in the mart"])
    await platform.stop("incident", "reporting")
    reached = max(seconds, loaded.seconds)
    spent = ", ".join(f"{name} {value * 1000 / max(1, loaded.accepted):.2f}" for name, value in used.items())
    bench.record(
        Measurement(
            "projection",
            f"lag while {rate:,} incidents a second are asked for and {loaded.accepted / reached:,.0f} opened",
            percentile(lags, 0.99),
            "ms p99",
            aim=f"< {_LAG_MS:.0f}",
            met=percentile(lags, 0.99) < _LAG_MS,
            p50_ms=percentile(lags, 0.5),
            p99_ms=percentile(lags, 0.99),
            note="from the instant written into the event before its commit to the first look, every "
            f"{_LOOK_SECONDS * 1000:.0f} ms, by which a reader of the mart sees it; answers p99 {loaded.p99_ms:.0f} "
            f"ms, {loaded.late} requests found no free connection; CPU ms each: {spent}",
        )
    )


async def _look(connection: Any, over: asyncio.Event) -> list[tuple[float, int]]:
    """Instants in machine time, and the last event that a reader saw applied."""
    seen: list[tuple[float, int]] = []
    while not over.is_set():
        sequence = await connection.fetchval(_APPLIED)
        if sequence is not None and (not seen or sequence > seen[-1][1]):
            seen.append((machine_time().timestamp(), sequence))
        await asyncio.sleep(_LOOK_SECONDS)
    return seen


def _lags(rows: "list[asyncpg.Record]", seen: list[tuple[float, int]]) -> list[float]:
    """Milliseconds from each event to the first look that saw it."""
    numbers = [sequence for _, sequence in seen]
    found = []
    for row in rows:
        place = bisect_left(numbers, row["no"])
        if place < len(seen):
            found.append((seen[place][0] - row["recordedtime"].timestamp()) * 1000)
    return found


CASE: Final = Case(
    "projection",
    "The slower of two things that no projection can do without: fetching the same messages from the stream by batches "
    "with nats-py, and writing the same finished rows with their indexes by COPY, one transaction for each batch.",
    run,
)
