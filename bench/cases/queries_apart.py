"""In a process of its own: asking one path after the other over HTTP, and the statements behind the answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import asyncpg

from bench.load import Request, prebuilt, read_head
from incident.projections import incident_queue
from incident.projections.incident_queue import Filters
from opsledger_events.envelope import parse_instant
from reporting import queries
from reporting.domain.indicators import INDICATORS
from reporting.domain.periods import read_moment, read_period

ZONE = ZoneInfo("Asia/Shanghai")


async def both(asking: dict[str, Any], statements: str, telling: dict[str, Any]) -> dict[str, Any]:
    """What `ask` tells, and as `sql_ms` the statements' times, right after one another in one process."""
    answers = await ask(**asking)
    return {**answers, "sql_ms": await _STATEMENTS[statements](**telling)}


async def ask(url: str, token: str, paths: list[str], warm: int) -> dict[str, Any]:
    """One client on one connection; milliseconds of each answer after the first `warm`, and what was refused."""
    place = urlsplit(url)
    host, port = place.hostname or "127.0.0.1", place.port or 80
    reader, writer = await asyncio.open_connection(host, port)
    latencies, refused, size = [], [], 0
    for number, path in enumerate(paths):
        request = b"".join(prebuilt(Request("GET", path, token), f"{host}:{port}")[0])
        begun = time.monotonic()
        writer.write(request)
        data = bytearray()
        while (head := read_head(data)) is None or len(data) < head.size:
            part = await reader.read(1 << 16)
            if not part:
                raise ConnectionError(f"closed after {len(data)} bytes of {path}")
            data += part
        if number >= warm:
            latencies.append((time.monotonic() - begun) * 1000)
            size = max(size, len(data))
        if head.status != 200:
            refused.append(f"{path}: {head.status} {bytes(data[-300:]).decode(errors='replace')}")
    writer.close()
    return {"latencies_ms": latencies, "refused": refused[:3], "bytes": size}


async def incident_sql(url: str, asked: list[dict[str, Any]], warm: int) -> list[float]:
    """The statements behind lists (`find`), one incident (`read`) and its events (`events`); milliseconds of each."""
    connection = await asyncpg.connect(url, server_settings={"search_path": "incident, es", "timezone": "UTC"})

    async def one(given: dict[str, Any]) -> None:
        if "find" in given:
            filters = Filters(**{**given["find"], "state": tuple(given["find"].get("state", ()))})
            await incident_queue.find(connection, filters, given.get("sort", "-opened"), 51, None)
            return
        record = await incident_queue.locate(connection, given["incident"], None)
        if given.get("events"):
            await connection.fetch(
                "select e.body, p.no from es.event e left join es.publication p on p.event = e.id"
                " where e.aggregate = $1 and e.version > 0 order by e.version limit 51",
                record["id"],
            )
        else:
            await connection.fetch("select body from es.event where aggregate = $1 order by version", record["id"])

    return await _timed(connection, one, asked, warm)


async def indicator_sql(url: str, asked: list[dict[str, Any]], begins: str, ends: str, now: str) -> list[float]:
    """The statement behind each of these figures; milliseconds of each."""
    connection = await asyncpg.connect(url, server_settings={"search_path": "mart, reporting, es", "timezone": "UTC"})
    instant = parse_instant(now)

    async def one(given: dict[str, Any]) -> None:
        period = read_period(begins, ends, ZONE, instant)
        if INDICATORS[given["name"]].moment == "instant" and given["by"] not in ("day", "week", "month"):
            at: datetime = read_moment(ends, ZONE, instant)
            period = type(period)(at, at, ZONE)
        indicator = INDICATORS[given["name"]]
        await queries.figures(connection, indicator, period, given["by"], queries.Filters(None), instant)

    return await _timed(connection, one, asked, 0)


async def _timed(connection: Any, one: Any, asked: Sequence[dict[str, Any]], warm: int) -> list[float]:
    latencies = []
    try:
        for number, given in enumerate(asked):
            begun = time.monotonic()
            await one(given)
            if number >= warm:
                latencies.append((time.monotonic() - begun) * 1000)
    finally:
        await connection.close()
    return latencies


_STATEMENTS: Final[dict[str, Callable[..., Awaitable[list[float]]]]] = {
    "incident": incident_sql,
    "indicator": indicator_sql,
}
