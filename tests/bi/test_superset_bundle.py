"""The Superset bundle on a real Superset: its charts show what our API says. Opt-in: `make test-bi`."""

import os
import runpy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import asyncpg
import pytest
import yaml
from tests.support.histories import LOGS, import_into
from tests.support.mart import apply
from tests.support.reporting_doors import reporting_doors
from tests.support.servicenow_log import expected, read_log
from tests.support.stories import batches, random_story
from tests.support.superset import DEPLOY, Superset, superset

from opsledger_runtime.testing.harness import Harness

pytestmark = [
    pytest.mark.skipif("OPSLEDGER_TEST_SUPERSET" not in os.environ, reason="opt-in: make test-bi"),
    pytest.mark.timeout(900),
]

SHANGHAI = ZoneInfo("Asia/Shanghai")
PASSWORD = "read-only"
ALL = {"begins": "2026-10-01", "to": "2026-12-31"}


def assets(kind: str) -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted((DEPLOY / "assets" / kind).rglob("*.yaml")):
        found[path.stem] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def query_of(params: dict[str, Any]) -> dict[str, Any]:
    """What the browser would ask for such a chart."""
    if params.get("query_mode") == "raw":
        return {"columns": params["all_columns"], "metrics": [], "row_limit": params["row_limit"]}
    names = ("groupby", "groupbyRows", "groupbyColumns")
    columns = [column for name in names for column in params.get(name, [])]
    if axis := params.get("x_axis"):
        columns.append({"label": axis, "sqlExpression": axis, "expressionType": "SQL"})
    filters = [
        {"col": found["subject"], "op": found["operator"], "val": found["comparator"]}
        for found in params.get("adhoc_filters", [])
    ]
    return {"columns": columns, "metrics": params["metrics"], "filters": filters}


@asynccontextmanager
async def bundled(database: str, postgres_url: str, tmp_path: Path) -> AsyncIterator[Superset]:
    """A Superset that has taken the bundle in, twice, and reads this database as `bi_reader`."""
    folder = Path(os.environ["OPSLEDGER_TEST_SUPERSET"])
    server = urlsplit(postgres_url)
    owner = await asyncpg.connect(postgres_url)
    metadata = f"superset_{os.getpid()}"
    await owner.execute(f"create database {metadata}")
    try:
        await owner.execute(f"alter role bi_reader with login password '{PASSWORD}'")
        where, name = f"{server.hostname}:{server.port}", urlsplit(database).path.lstrip("/")
        await owner.execute(f'grant connect on database "{name}" to bi_reader')
        uri = f"postgresql+psycopg2://bi_reader@{where}/{name}"
        bundle = runpy.run_path(str(DEPLOY / "bundle.py"))["bundle"](uri)
        meta_uri = f"postgresql+psycopg2://{server.username}:{server.password}@{where}/{metadata}"
        async with superset(folder, tmp_path, meta_uri) as there:
            await there.take(bundle, {"databases/opsledger.yaml": PASSWORD})
            await there.take(bundle, {"databases/opsledger.yaml": PASSWORD})  # again changes nothing
            yield there
    finally:
        await owner.execute(f"drop database if exists {metadata} with (force)")
        await owner.execute("alter role bi_reader with password null")
        await owner.close()


async def shown_by(there: Superset, *names: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of the bundle's charts: of these, or of all."""
    charts, datasets = await there.every("chart"), await there.every("dataset")
    shown = {}
    for name, chart in assets("charts").items():
        if not names or name in names:
            assert chart["uuid"] in charts
            shown[name] = await there.data(datasets[chart["dataset_uuid"]]["id"], query_of(chart["params"]))
            assert shown[name], name
    return shown


async def test_an_imported_history_is_shown_as_its_log_has_it(
    reader: None, platform: Harness, postgres_url: str, tmp_path: Path
) -> None:
    await import_into(platform, LOGS[-1])
    rows = read_log(LOGS[-1])
    (reporting,) = [running for running in platform.runnings if running.context == "reporting"]
    async with bundled(reporting.settings.database_url, postgres_url, tmp_path) as there:
        shown = await shown_by(there, "mttr", "reassignments")
    for begins, ends in pairwise([datetime(2016 + at // 12, at % 12 + 1, 1, tzinfo=SHANGHAI) for at in range(19)]):
        month = [found for found in shown["mttr"] if found["year_month"] == f"{begins:%Y-%m}"]
        seconds, resolved = expected(rows, begins, ends).get("mttr", (0, 0))
        assert sum(found["resolved"] for found in month) == resolved
        assert sum(float(found["mttr_seconds"]) * found["resolved"] for found in month) == pytest.approx(
            seconds, abs=60
        )
    whole = expected(rows, datetime(2016, 1, 1, tzinfo=SHANGHAI), datetime(2018, 1, 1, tzinfo=SHANGHAI))
    assert sum(found["reassignments"] for found in shown["reassignments"]) == whole["reassignment-rate"][0]


async def test_charts_of_the_bundle_show_what_the_api_says(database: str, postgres_url: str, tmp_path: Path) -> None:
    async with reporting_doors(database, tmp_path) as reporting:
        await apply(reporting.store, batches(random_story(91, 150).envelopes, 1, 300))
        async with bundled(database, postgres_url, tmp_path) as there:
            assert [found["slug"] for found in (await there.every("dashboard")).values()] == ["opsledger"]
            shown, datasets = await shown_by(there), await there.every("dataset")
            for name, dataset in assets("datasets").items():
                described = {column["column_name"]: column["description"] for column in dataset["columns"]}
                there_too = {
                    column["column_name"]: column["description"] for column in datasets[dataset["uuid"]]["columns"]
                }
                assert there_too == described, name

        rows = (await reporting.figures("mttr", **ALL, group_by="month"))["rows"]
        for month in [row for row in rows if row["denominator"]]:
            window = {"begins": f"{month['group']}-01", "to": f"{month['group']}-{_last(month['group'])}"}
            for row in (await reporting.figures("mttr", **window, group_by="priority"))["rows"]:
                one = [
                    found
                    for found in shown["mttr"]
                    if found["year_month"] == month["group"] and row["label"].startswith(found["priority_en"])
                ]
                assert [found["resolved"] for found in one] == [row["denominator"]]
                assert float(one[0]["mttr_seconds"]) == pytest.approx(row["value_seconds"], abs=0.06)
        attained = (await reporting.figures("sla-attainment", **ALL))["rows"][0]
        assert sum(found["kept"] for found in shown["sla"]) == attained["numerator"]
        assert sum(found["decided"] for found in shown["sla"]) == attained["denominator"]
        for row in (await reporting.figures("reassignment-rate", **ALL, group_by="team"))["rows"]:
            one = [found for found in shown["reassignments"] if found["team"] == row["label"]]
            assert [(found["reassignments"], found["resolved"]) for found in one] == [
                (row["numerator"], row["denominator"])
            ]
        backlog = {_day(found["local_date"]): found["open"] for found in shown["backlog"]}
        days = (await reporting.figures("backlog", **ALL, group_by="day"))["rows"]
        told = [row for row in days if row["group"] in backlog]
        assert len(told) > 30
        assert [backlog[row["group"]] for row in told[:-1]] == [row["count"] for row in told[:-1]]
        known = {row["event_id"] for row in await reporting.store.pool.fetch("select * from fact_incident_event")}
        assert {found["event_id"] for found in shown["events"]} <= known


def _day(value: float | str) -> str:
    """Superset tells a day as text or as milliseconds since 1970."""
    return (
        datetime.fromtimestamp(value / 1000, UTC).date().isoformat() if isinstance(value, int | float) else value[:10]
    )


def _last(month: str) -> str:
    year, number = map(int, month.split("-"))
    following = date(year + number // 12, number % 12 + 1, 1)
    return str((following - date(year, number, 1)).days)
