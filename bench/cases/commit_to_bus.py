"""From the commit of a command to the receipt of its event by somebody outside, at steady rates."""

import asyncio
from typing import Any, Final

import asyncpg

from bench import apart, load, losses, whole
from bench.bench import Bench
from bench.case import Case
from bench.measuring import percentile
from bench.platform import Platform
from bench.results import Measurement

_ALONE: Final = "incident"
_P50_MS: Final = 5.0
_P99_MS: Final = 25.0
_LISTENING_SECONDS: Final = 1.0


async def run(bench: Bench) -> None:
    """The incident service alone, so that only the way to the bus is measured; Postgres says when each commit was."""
    async with bench.platform() as platform:
        await commit_instants(platform)
        await platform.start(_ALONE)
        since = await losses.mark(platform, (_ALONE,))
        accepted = await whole.warm(bench, platform)
        measured: dict[int, list[float]] = {}
        for rate in bench.sizes.bus_rates:
            bench.tell(f"{rate} commands a second")
            count = round(rate * bench.sizes.bus_seconds)
            watching = asyncio.create_task(watch(platform, "IncidentOpened", count))
            await asyncio.sleep(_LISTENING_SECONDS)
            request = whole.opening(platform, bench.sizes.command_body_bytes, f"bus-{rate}")
            loaded = await load.paced(platform.service_url(_ALONE), request, rate=rate, seconds=bench.sizes.bus_seconds)
            accepted += whole.ids(loaded)
            measured[rate] = await since_commit(platform, _ALONE, await watching)
        await whole.wait_until_drained(platform, bench.sizes.drain_seconds)
        bench.fail(await losses.after(platform, accepted, (_ALONE,), since))
        for rate, latencies in measured.items():  # last, since what it publishes are no events
            _record(bench, rate, latencies, await _limit(bench, platform, rate))


async def commit_instants(platform: Platform) -> None:
    """Let Postgres remember when each transaction was committed; before any service is started."""
    admin = await asyncpg.connect(platform.servers.postgres.url())
    await admin.execute("alter system set track_commit_timestamp = on")
    await admin.close()
    await asyncio.to_thread(platform.servers.postgres.stop)
    await asyncio.to_thread(platform.servers.postgres.start)


async def watch(platform: Platform, name: str, count: int) -> dict[str, float]:
    """Wait, in a process of its own, for so many events of a name: by id, when they came (Unix time in seconds)."""
    url, user, password = platform.servers.admin()
    given = {"url": url, "user": user, "password": password, "name": name, "count": count}
    outcome = await apart.run("bench.cases.commit_to_bus_limit:watch", given)
    return dict(outcome.value)


async def since_commit(platform: Platform, context: str, arrived: dict[str, float]) -> list[float]:
    """Milliseconds from each event's commit in a context's store to its arrival."""
    async with platform.database(context) as connection:
        rows = await connection.fetch(
            "select id::text, extract(epoch from pg_xact_commit_timestamp(xmin))::float8 as at from es.event"
            " where id = any($1::uuid[])",
            list(arrived),
        )
    return [(arrived[row["id"]] - row["at"]) * 1000 for row in rows]


async def _limit(bench: Bench, platform: Platform, rate: int) -> list[float]:
    bench.tell(f"its limit at {rate} a second")
    url, user, password = platform.servers.admin()
    login = {"url": url, "user": user, "password": password}
    given = {**login, "rate": rate, "seconds": bench.sizes.bus_seconds}
    outcome = await apart.run("bench.cases.commit_to_bus_limit:publish_and_receive", given)
    return list(outcome.value)


def _record(bench: Bench, rate: int, latencies: list[float], limit: list[float]) -> None:
    for name, share, most in (("p50", 0.5, _P50_MS), ("p99", 0.99, _P99_MS)):
        found, bare = percentile(latencies, share), percentile(limit, share)
        told: dict[str, Any] = {"p50_ms": percentile(latencies, 0.5), "p99_ms": percentile(latencies, 0.99)}
        bench.record(
            Measurement(
                "commit_to_bus",
                f"{name} at {rate}/s",
                found,
                "ms",
                bare,
                found / bare,
                f"< {most:.0f} ms",
                found < most,
                **told,
                note=f"{len(latencies):,} events",
            )
        )


CASE: Final = Case(
    "commit_to_bus",
    "Messages of the same size published singly to the same stream and received by a bare subscriber, from just before "
    "the publish to the receipt: the stream must have a message on disk before anybody may see it.",
    run,
)
