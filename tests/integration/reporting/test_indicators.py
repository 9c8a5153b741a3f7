"""Every indicator against the same figure computed anew from the events."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.support import figures
from tests.support.mart import NOW, apply, filled_mart
from tests.support.reporting_doors import Reporting, reporting_doors
from tests.support.servers import new_database
from tests.support.stories import batches, interleaved, opened, random_story

from reporting import queries
from reporting.domain.indicators import INDICATORS
from reporting.domain.periods import Period
from reporting.domain.standing import BACKLOG

STORY = random_story(99, 300)
SHANGHAI = ZoneInfo("Asia/Shanghai")
BEGINS = datetime(2026, 10, 5, tzinfo=SHANGHAI)
ENDS = datetime(2026, 11, 16, tzinfo=SHANGHAI)
WINDOW = {"begins": "2026-10-05", "to": "2026-11-15"}


@pytest.fixture(scope="module")
async def filled(postgres_url: str) -> AsyncIterator[str]:
    async with filled_mart(postgres_url, batches(interleaved(STORY, 7), 7, 400)) as url:
        yield url


@pytest.fixture
async def reporting(postgres_url: str, filled: str, tmp_path: Path) -> AsyncIterator[Reporting]:
    async with new_database(postgres_url, filled) as database, reporting_doors(database, tmp_path) as found:
        yield found


def everything(given: dict[str, Any]) -> bool:
    return True


def mean(found: list[int | None]) -> tuple[float | None, int, int]:
    known = [seconds for seconds in found if seconds is not None]
    return (round(sum(known) / len(known), 1) if known else None, sum(known), len(known))


def shown(row: dict[str, Any], value: str = "value_seconds") -> tuple[Any, int, int]:
    return (row[value], row["numerator"], row["denominator"])


@pytest.mark.parametrize(("name", "what"), [("mtta", "acknowledge"), ("mttr", "resolve")])
async def test_mean_times_agree_with_the_events(reporting: Reporting, name: str, what: str) -> None:
    answer = await reporting.figures(name, **WINDOW)
    found = figures.durations(STORY.envelopes, BEGINS, ENDS, what, everything)
    assert len(found) > 50
    assert shown(answer["rows"][0]) == mean(found)
    assert answer["rows"][0]["median_seconds"] in found
    assert answer["period"]["from"] == "2026-10-05T00:00:00+08:00"
    assert answer["period"]["to"] == "2026-11-16T00:00:00+08:00"
    for word in ("formula", "population", "clock"):
        assert len(answer[word]) > 5

    for group in ("priority", "team", "organisation"):
        rows = (await reporting.figures(name, **WINDOW, group_by=group))["rows"]
        assert sum(row["denominator"] for row in rows) == mean(found)[2]
        for row in rows:
            wanted = row["group"] or None
            part = figures.durations(
                STORY.envelopes,
                BEGINS,
                ENDS,
                what,
                lambda given, wanted=wanted, group=group: _same(given[group], wanted),
            )
            assert shown(row) == mean(part), row

    rows = (await reporting.figures(name, **WINDOW, group_by="day"))["rows"]
    assert len(rows) == 42
    for at, row in enumerate(rows):
        day = BEGINS + timedelta(days=at)
        part = figures.durations(STORY.envelopes, day, day + timedelta(days=1), what, everything)
        assert (row["group"], *shown(row)) == (day.date().isoformat(), *mean(part))


def _same(value: Any, wanted: str | None) -> bool:
    return wanted is None if value is None else str(value) == wanted


async def test_incidents_never_acknowledged_are_counted_apart(reporting: Reporting) -> None:
    row = (await reporting.figures("mtta", **WINDOW))["rows"][0]
    found = figures.durations(STORY.envelopes, BEGINS, ENDS, "acknowledge", everything)
    assert row["unacknowledged"] == found.count(None)


async def test_sla_attainment_agrees_with_the_events(reporting: Reporting) -> None:
    answer = await reporting.figures("sla-attainment", **WINDOW)
    met, counted = figures.attainment(STORY.envelopes, BEGINS, ENDS, everything)
    row = answer["rows"][0]
    assert 0 < met < counted
    assert shown(row, "ratio") == (round(met / counted, 4), met, counted)
    assert row["missed"] + row["breached_running"] == counted - met
    assert row["breached_running"] > 0

    for group in ("priority", "team", "organisation"):
        for part in (await reporting.figures("sla-attainment", **WINDOW, group_by=group))["rows"]:
            found = figures.attainment(
                STORY.envelopes,
                BEGINS,
                ENDS,
                lambda given, group=group, wanted=part["group"] or None: _same(given[group], wanted),
            )
            assert (part["numerator"], part["denominator"]) == found

    weeks = (await reporting.figures("sla-attainment", **WINDOW, group_by="week"))["rows"]
    for at, part in enumerate(weeks):
        week = BEGINS + timedelta(weeks=at)
        found = figures.attainment(STORY.envelopes, week, week + timedelta(weeks=1), everything)
        assert (part["numerator"], part["denominator"]) == found

    one = await reporting.figures("sla-attainment", **WINDOW, metric="response")
    assert shown(one["rows"][0], "ratio") == (None, 0, 0)


async def test_backlog_agrees_with_the_events(reporting: Reporting) -> None:
    row = (await reporting.figures("backlog"))["rows"][0]
    ages = figures.open_ages(STORY.envelopes, NOW, everything)
    assert row["count"] == len(ages) > 10
    days = [0, 1, 3, 7, 30, 10**4]
    names = ["age_under_1_day", "age_1_to_3_days", "age_3_to_7_days", "age_7_to_30_days", "age_over_30_days"]
    for name, low, high in zip(names, days, days[1:], strict=False):
        assert row[name] == sum(timedelta(days=low) <= age < timedelta(days=high) for age in ages), name

    past = datetime(2026, 11, 1, 8, 30, tzinfo=UTC)
    row = (await reporting.figures("backlog", at=past.isoformat()))["rows"][0]
    assert row["count"] == len(figures.open_ages(STORY.envelopes, past, everything))

    today = await reporting.figures("backlog", at=NOW.astimezone(SHANGHAI).date().isoformat())
    assert today["rows"][0]["count"] == len(ages)

    parts = (await reporting.figures("backlog", group_by="organisation"))["rows"]
    assert [part["group"] for part in parts] == ["acme", "globex"]
    for part in parts:
        pick = lambda given, wanted=part["group"]: given["organisation"] == wanted  # noqa: E731
        assert part["count"] == len(figures.open_ages(STORY.envelopes, NOW, pick))

    months = (await reporting.figures("backlog", begins="2026-10-01", to="2026-12-31", group_by="month"))["rows"]
    assert [part["group"] for part in months] == ["2026-10", "2026-11"]
    for part, end in zip(months, [datetime(2026, 11, 1, tzinfo=SHANGHAI), NOW], strict=True):
        assert part["count"] == len(figures.open_ages(STORY.envelopes, end, everything))


async def test_a_statement_that_is_asked_again_is_planned_for_its_own_period(reporting: Reporting) -> None:
    period = Period(BEGINS, ENDS, SHANGHAI)
    async with reporting.store.pool.acquire() as connection:
        for _ in range(7):  # after five, a statement may get a plan for any values
            await queries.figures(connection, BACKLOG, period, "week", queries.Filters(None), NOW)
        plans = await connection.fetchrow(
            "select generic_plans, custom_plans from pg_prepared_statements where statement like $1",
            "%width_bucket%",  # as a value: this statement is itself prepared, and must not find itself
        )
    assert tuple(plans) == (0, 7)


async def test_filters_narrow_the_population(reporting: Reporting) -> None:
    answer = await reporting.figures("mttr", **WINDOW, organisation="globex", team="network", priority=2)
    wanted = {"organisation": "globex", "team": "network", "priority": 2}
    found = figures.durations(STORY.envelopes, BEGINS, ENDS, "resolve", lambda given: wanted.items() <= given.items())
    assert found
    assert shown(answer["rows"][0]) == mean(found)
    others = dict.fromkeys(("metric", "kind", "service", "category", "within_days"))
    assert answer["filters"] == {**wanted, **others}


@pytest.mark.parametrize("name", INDICATORS)
async def test_caller_of_one_organisation_sees_its_figures_only(reporting: Reporting, name: str) -> None:
    window = WINDOW if INDICATORS[name].moment == "period" else {}
    own = await reporting.figures(name, **window, organisations=["globex"])
    filtered = await reporting.figures(name, **window, organisation="globex")
    assert _without_links(own["rows"]) == _without_links(filtered["rows"])
    assert own["rows"][0]["numerator"] != 0 or name == "sla-at-risk"
    foreign = await reporting.figures(name, **window, organisation="acme", organisations=["globex"])
    assert foreign["rows"][0]["numerator"] == 0
    groups = await reporting.figures(name, **window, group_by="organisation", organisations=["globex"])
    assert {row["group"] for row in groups["rows"]} <= {"globex"}


def _without_links(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "incidents"} for row in rows]


async def test_csv_says_the_same_as_json_and_explains_itself(reporting: Reporting) -> None:
    rows = (await reporting.figures("mttr", **WINDOW, group_by="team"))["rows"]
    params = {"from": "2026-10-05", "to": "2026-11-15", "group_by": "team"}
    by_accept = await reporting.get("/indicators/mttr", params=params, headers={"Accept": "text/csv"})
    assert by_accept.headers["content-type"] == "text/csv; charset=utf-8"
    lines = list(csv.DictReader(io.StringIO(by_accept.text, newline="")))
    assert [(line["group"], line["denominator"]) for line in lines] == [
        (r["group"], str(r["denominator"])) for r in rows
    ]
    assert {line["label"] for line in lines} >= {"network 组", "database 组"}
    assert {line["time_zone"] for line in lines} == {"Asia/Shanghai"}
    assert "latest resolution" in lines[0]["population"]
    marked = await reporting.get("/indicators/mttr", params={**params, "format": "csv", "bom": "true"})
    assert marked.content == b"\xef\xbb\xbf" + by_accept.content


@pytest.mark.parametrize("name", INDICATORS)
async def test_csv_has_the_same_columns_with_and_without_rows(reporting: Reporting, name: str) -> None:
    headers = []
    for organisation in ("acme", "nobody"):
        for group in ("organisation", "none"):
            params = {"format": "csv", "group_by": group, "organisation": organisation}
            text = (await reporting.get(f"/indicators/{name}", params=params)).text
            headers.append(text.split("\r\n")[0])
    assert len(set(headers)) == 1
    row = (await reporting.figures(name))["rows"][0]
    assert headers[0].startswith(",".join([*row, "group_by,"]))


async def test_csv_from_hostile_names_is_no_formula(reporting: Reporting) -> None:
    event = opened(901, organisation='=HYPERLINK("http://x")', team="@evil")
    await apply(reporting.store, [[STORY_TAIL.tell("incident-901", event, NOW - timedelta(hours=1))]])
    for group in ("organisation", "team"):
        answer = await reporting.get("/indicators/backlog", params={"group_by": group, "format": "csv"})
        cells = [cell for line in csv.reader(io.StringIO(answer.text, newline="")) for cell in line]
        assert any(cell.startswith("'=" if group == "organisation" else "'@") for cell in cells)
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)


STORY_TAIL = random_story(1, 1)
