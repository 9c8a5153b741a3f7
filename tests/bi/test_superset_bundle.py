"""The Superset bundle on a real Superset: its charts show what our API says. Opt-in: `make test-bi`."""

import os
import runpy
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
import yaml
from tests.support.mart import apply
from tests.support.reporting_doors import reporting_doors
from tests.support.stories import batches, random_story
from tests.support.superset import DEPLOY, superset

pytestmark = [
    pytest.mark.skipif("OPSLEDGER_TEST_SUPERSET" not in os.environ, reason="opt-in: make test-bi"),
    pytest.mark.timeout(900),
]

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
    return {"columns": columns, "metrics": params["metrics"]}


async def test_charts_of_the_bundle_show_what_the_api_says(database: str, postgres_url: str, tmp_path: Path) -> None:
    folder = Path(os.environ["OPSLEDGER_TEST_SUPERSET"])
    server = urlsplit(postgres_url)
    owner = await asyncpg.connect(postgres_url)
    metadata = f"superset_{os.getpid()}"
    await owner.execute(f"create database {metadata}")
    try:
        async with reporting_doors(database, tmp_path) as reporting:
            await apply(reporting.store, batches(random_story(91, 150).envelopes, 1, 300))
            await owner.execute(f"alter role bi_reader with login password '{PASSWORD}'")
            where = f"{server.hostname}:{server.port}"
            uri = f"postgresql+psycopg2://bi_reader@{where}/{urlsplit(database).path.lstrip('/')}"
            bundle = runpy.run_path(str(DEPLOY / "bundle.py"))["bundle"](uri)
            meta_uri = f"postgresql+psycopg2://{server.username}:{server.password}@{where}/{metadata}"
            async with superset(folder, tmp_path, meta_uri) as there:
                await there.take(bundle, {"databases/opsledger.yaml": PASSWORD})
                await there.take(bundle, {"databases/opsledger.yaml": PASSWORD})  # again changes nothing
                charts, datasets = await there.every("chart"), await there.every("dataset")
                assert [found["slug"] for found in (await there.every("dashboard")).values()] == ["opsledger"]
                shown = {}
                for name, chart in assets("charts").items():
                    assert chart["uuid"] in charts
                    dataset = datasets[chart["dataset_uuid"]]
                    shown[name] = await there.data(dataset["id"], query_of(chart["params"]))
                    assert shown[name], name
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
    finally:
        await owner.execute(f"drop database if exists {metadata} with (force)")
        await owner.execute("alter role bi_reader with password null")
        await owner.close()


def _day(value: float | str) -> str:
    """Superset tells a day as text or as milliseconds since 1970."""
    return (
        datetime.fromtimestamp(value / 1000, UTC).date().isoformat() if isinstance(value, int | float) else value[:10]
    )


def _last(month: str) -> str:
    year, number = map(int, month.split("-"))
    following = date(year + number // 12, number % 12 + 1, 1)
    return str((following - date(year, number, 1)).days)
