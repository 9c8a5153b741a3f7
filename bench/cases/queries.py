"""Answers on a long history: pages of the queue, searches, one incident and its past, indicators over a year."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

import asyncpg

from bench import apart
from bench.bench import Bench
from bench.case import Case
from bench.cases import queries_mart
from bench.cases.queries_apart import ZONE
from bench.measuring import percentile
from bench.platform import Platform
from bench.results import Measurement
from opsledger_runtime.clock import OffsetClock
from reporting.domain.indicators import INDICATORS

_PATH: Final = "/api/incident/v1/incidents"
_NAMES: Final = ("mtta", "mttr", "sla-attainment", "backlog")
_PATH_OF_INDICATORS: Final = "/api/reporting/v1/indicators"
_GROUPS: Final = ("none", "priority", "team", "organisation", "day", "week", "month")
_OPEN: Final = ("new", "assigned", "in_progress", "on_hold")
_DIFFERENT: Final = 50
"""How many different incidents or words are asked for in turn."""

_WARM: Final = 10
_AIM_MS: Final = 50.0
_INDICATOR_AIM_MS: Final = 500.0
_STAY_OPEN: Final = 5_000


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked: paths in turn, and for each the statements behind it."""

    what: str
    paths: Sequence[str]
    asked: Sequence[dict[str, Any]]


async def run(bench: Bench) -> None:
    """The incident service on the long history, then reporting on a mart of the same length."""
    incidents = bench.sizes.query_incidents
    async with bench.filled(incidents) as platform:
        async with platform.database("incident") as owner:
            asked = _incident_queries(await _sample(owner), OffsetClock(platform.clock_file).now())
        bench.tell("starting the incident service")
        await platform.start("incident")
        for query in asked:
            bench.tell(query.what)
            await _measure(bench, platform, query)
        await platform.stop("incident")
    async with bench.platform() as platform:
        await platform.migrate("reporting")
        bench.tell(f"filling the mart with {incidents:,} incidents and {2 * incidents:,} clocks")
        now = OffsetClock(platform.clock_file).now()
        async with platform.database("reporting") as one, platform.database("reporting") as other:
            await queries_mart.fill(one, other, incidents, _STAY_OPEN, now)
        await _tidy(platform)
        await platform.start("reporting")
        by_group = [[name, *await _measure_indicator(bench, platform, name, now)] for name in _NAMES]
        bench.table("Indicators over a year: median answer in ms, by group", ("indicator", *_GROUPS), by_group)
        await platform.stop("reporting")


async def _sample(owner: Any) -> "list[asyncpg.Record]":
    """Incidents from all over the history, none of the newest."""
    rows: list[asyncpg.Record] = await owner.fetch(
        "select id, number, title, configuration_item, opened_at from incident_queue"
        " where opened_at < (select max(opened_at) from incident_queue) - interval '31 days'"
        " order by md5(number) limit $1",
        _DIFFERENT,
    )
    return rows


def _incident_queries(sample: "Sequence[asyncpg.Record]", now: datetime) -> list[Query]:
    chinese = [row["title"].split(" ")[0] for row in sample if not row["title"].isascii()]
    items = [row["configuration_item"] for row in sample]
    past = (now - timedelta(days=30)).isoformat()
    return [
        _found("queue, newest 50"),
        _found("open incidents by priority, 50", {"state": _OPEN}, "priority"),
        _found("search for a common word, Latin", {"q": "printer"}),
        _found("search for a common word, Chinese", {"q": "打印机"}),
        _found("search for a rare word, Latin", *({"q": item} for item in items)),
        _found("search for a rare word, Chinese", *({"q": words} for words in chinese)),
        _found("search for a word that no title has", {"q": "zqxj"}, {"q": "鬯"}),
        Query(
            "one incident by its number",
            [f"{_PATH}/{row['number']}" for row in sample],
            [{"incident": row["number"]} for row in sample],
        ),
        Query(
            "one incident's events",
            [f"{_PATH}/{row['id']}/events" for row in sample],
            [{"incident": row["id"], "events": True} for row in sample],
        ),
        Query(
            "one incident as of a month ago",
            [f"{_PATH}/{row['id']}?as_of={quote(past)}" for row in sample],
            [{"incident": row["id"]} for row in sample],
        ),
    ]


def _found(what: str, *given: Any) -> Query:
    sort = given[-1] if given and isinstance(given[-1], str) else "-opened"
    filters: list[dict[str, Any]] = [one for one in given if isinstance(one, dict)] or [{}]
    paths = [f"{_PATH}?{urlencode({**one, 'sort': sort}, doseq=True)}" for one in filters]
    return Query(what, paths, [{"find": one, "sort": sort} for one in filters])


async def _measure(bench: Bench, platform: Platform, query: Query) -> None:
    count = bench.sizes.query_requests + _WARM
    paths = [query.paths[index % len(query.paths)] for index in range(count)]
    asking = {"url": platform.service_url("incident"), "token": platform.token("agent"), "paths": paths, "warm": _WARM}
    telling = {
        "url": platform.access("incident").owner_database_url,
        "asked": [query.asked[index % len(query.asked)] for index in range(count)],
        "warm": _WARM,
    }
    answers = await _both(asking, "incident", telling)
    _record(bench, query.what, answers, answers["sql_ms"], _AIM_MS)


async def _both(asking: dict[str, Any], statements: str, telling: dict[str, Any]) -> dict[str, Any]:
    given = {"asking": asking, "statements": statements, "telling": telling}
    found: dict[str, Any] = (await apart.run("bench.cases.queries_apart:both", given)).value
    return found


async def _measure_indicator(bench: Bench, platform: Platform, name: str, now: datetime) -> list[str]:
    """One row for all groupings; the median of each. Of each, the first answer and statement are not counted."""
    begins, ends = (now - timedelta(days=364)).astimezone(ZONE).date(), now.astimezone(ZONE).date()
    bench.tell(f"{name} by each of {len(_GROUPS)} groups")
    asked, told = bench.sizes.query_indicators + 1, bench.sizes.query_indicators // 2 + 1
    paths = []
    for by in _GROUPS:
        given = {"from": begins, "to": ends, "group_by": by}
        if INDICATORS[name].moment == "instant" and by not in ("day", "week", "month"):
            given = {"at": ends, "group_by": by}
        paths += [f"{_PATH_OF_INDICATORS}/{name}?{urlencode(given)}"] * asked
    asking = {"url": platform.service_url("reporting"), "token": platform.token("analyst"), "paths": paths, "warm": 0}
    telling = {
        "url": platform.access("reporting").owner_database_url,
        "asked": [{"name": name, "by": by} for by in _GROUPS for _ in range(told)],
        "begins": begins.isoformat(),
        "ends": ends.isoformat(),
        "now": now.isoformat(),
    }
    answers = await _both(asking, "indicator", telling)
    latencies, sql = _without_first(answers["latencies_ms"], asked), _without_first(answers["sql_ms"], told)
    answers["latencies_ms"] = [one for group in latencies for one in group]
    what = f"{name} over a year, by each of {len(_GROUPS)} groups"
    _record(bench, what, answers, [one for group in sql for one in group], _INDICATOR_AIM_MS)
    return [f"{percentile(group, 0.5):.0f}" for group in latencies]


def _without_first(found: Sequence[float], together: int) -> list[Sequence[float]]:
    """Groups of so many figures, each without its first: whatever is done for the first time is no part of it."""
    return [found[first + 1 : first + together] for first in range(0, len(found), together)]


def _record(bench: Bench, what: str, answers: dict[str, Any], sql: list[float], aim: float) -> None:
    bench.fail(f"{what}: {refused}" for refused in answers["refused"])
    latencies = answers["latencies_ms"]
    figure, limit = percentile(latencies, 0.99), percentile(sql, 0.99)
    bench.record(
        Measurement(
            "queries",
            what,
            figure,
            "ms p99",
            limit,
            figure / limit,
            f"< {aim:.0f}",
            figure < aim,
            percentile(latencies, 0.5),
            figure,
            note=f"{len(latencies)} answers of {answers['bytes'] / 1024:.1f} KiB; "
            f"SQL p50 {percentile(sql, 0.5):.1f} ms of {len(sql)}",
        )
    )


async def _tidy(platform: Platform) -> None:
    """As housekeeping leaves tables in the long run."""
    connection = await asyncpg.connect(platform.superuser_url("reporting"))
    try:
        await connection.execute("vacuum (analyze)")
        await connection.execute("checkpoint")
    finally:
        await connection.close()


CASE: Final = Case(
    "queries",
    "The service's own statements by asyncpg on one connection: no answer is there before its rows are; the difference "
    "is the token, the rights, and the way from rows to JSON and over HTTP, one client that waits for each answer.",
    run,
)
