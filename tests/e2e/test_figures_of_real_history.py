"""Items from a file, an alert that finds its owner, a history told twice: and every figure leads back to its events."""

from collections.abc import AsyncIterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
from tests.chaos.checker import events_of
from tests.chaos.read_models import caught_up, equal_to_rebuilt
from tests.support.alertmanager import Alertmanager
from tests.support.histories import KNOWN, LISBON, LOGS, import_into
from tests.support.servicenow_log import expected, read_log
from tests.support.waiting import eventually

from incident.importing.story import incident_id
from opsledger_runtime.testing.harness import Harness
from opsledger_runtime.testing.smtp_sink import SmtpSink

ITEMS = """key,name,class,environment,criticality,lifecycle,owner_team,administrator,database_administrator,depends_on
shop,网上商店,business_service,production,critical,operational,desk,,,orders-db
orders-db,订单数据库,database,production,high,operational,network,engineer-1,engineer-1,
"""
LOG = LOGS[-1]
"""The real one where it lies, else the small invented one."""

MONTHS = [datetime(2016 + at // 12, at % 12 + 1, 1, tzinfo=LISBON) for at in range(19)]
WINDOW = {"from": "2016-01-01", "to": "2017-06-30", "time_zone": "Europe/Lisbon"}
FIGURES = ("mtta", "mttr", "first-contact-resolution", "reopen-rate", "reassignment-rate", "major-incidents")


async def ask(platform: Harness, role: str, path: str, **given: Any) -> Any:
    answer = await platform.client(role).get(f"/api{path}", params=given)
    assert answer.is_success, answer.text
    return answer.json()


@pytest.fixture(scope="module")
async def items(platform: Harness) -> Harness:
    answer = await platform.client("operator").post(
        "/api/cmdb/v1/imports/csv", content=ITEMS.encode(), headers={"Content-Type": "text/csv"}
    )
    assert (answer.status_code, answer.json()["registered"], answer.json()["related"]) == (200, 2, 1), answer.text
    await platform.quiet()
    return platform


async def count(platform: Harness) -> int:
    found = 0
    for running in platform.runnings:
        found += await running.pool.fetchval("select count(*) from es.event")
    return found


@pytest.fixture(scope="module")
async def told(items: Harness) -> Harness:
    await import_into(items, LOG)
    return items


async def test_r67_an_alert_finds_its_item_and_the_team_that_owns_it(
    items: Harness, manager: Alertmanager, mail: SmtpSink
) -> None:
    await manager.send("DatabaseDown", labels={"severity": "critical", "instance": "orders-db:9187"}, summary="订单库")

    async def opened() -> Any:
        found = (await ask(items, "agent", "/incident/v1/incidents", q="订单库"))["items"]
        return found[0] if found else None

    incident = await eventually(opened)
    assert (incident["configuration_item"], incident["team"]) == ("orders-db", "network")
    detail = await ask(items, "agent", f"/incident/v1/incidents/{incident['id']}")
    assert [one["key"] for one in detail["affected"]["items"]] == ["shop"]
    assert await mail.expect(to="engineer-1@example.com", subject_contains=incident["number"], timeout=20)


async def test_a_history_that_is_told_twice_is_recorded_once(told: Harness) -> None:
    before = await count(told)
    await import_into(told, LOG)
    assert await count(told) == before
    known = KNOWN[LOG]
    closed = [incident_id("servicenow", number) for number in {row["number"] for row in read_log(LOG)}]
    assert len(closed) == known.incidents
    service = next(running for running in told.runnings if running.context == "incident")
    there = await service.pool.fetchval("select count(*) from incident_queue where id = any($1::text[])", closed)
    assert there == known.incidents


async def test_figures_are_those_of_the_log(told: Harness) -> None:
    rows = read_log(LOG)
    whole = expected(rows, MONTHS[0], MONTHS[-1])
    for name in FIGURES:
        by_month = (await ask(told, "analyst", f"/reporting/v1/indicators/{name}", **WINDOW, group_by="month"))["rows"]
        found = [(row["numerator"], row["denominator"] or 0) for row in by_month]
        assert found == [expected(rows, *month).get(name, (0, 0)) for month in pairwise(MONTHS)], name
        (row,) = (await ask(told, "analyst", f"/reporting/v1/indicators/{name}", **WINDOW))["rows"]
        assert (row["numerator"], row["denominator"] or 0) == whole.get(name, (0, 0)), name


async def test_a_figure_leads_to_its_incidents_and_from_one_to_its_events(told: Harness) -> None:
    (figure,) = (await ask(told, "analyst", "/reporting/v1/indicators/mttr", **WINDOW))["rows"]
    behind: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await ask(told, "analyst", "/reporting/v1/indicators/mttr/incidents", **WINDOW, limit=200, **cursor)
        behind += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert sum(one["numerator"] for one in behind) == figure["numerator"]
    assert sum(one["denominator"] for one in behind) == figure["denominator"]
    one = behind[0]
    reported = await ask(told, "analyst", f"/reporting/v1/incidents/{one['incident_id']}/events")
    stored = await ask(told, "auditor", f"/incident/v1/incidents/{one['incident_id']}/events", limit=200)
    assert [event["event_id"] for event in reported["items"]] == [event["id"] for event in stored["items"]]


@pytest.fixture
async def owners(told: Harness) -> AsyncIterator[dict[str, "asyncpg.Connection[asyncpg.Record]"]]:
    found: dict[str, asyncpg.Connection[asyncpg.Record]] = {}
    try:
        for running in told.runnings:
            schemas = ", ".join((*(running.service.schemas or (running.context,)), "es"))
            url = running.settings.owner_database_url
            found[running.context] = await asyncpg.connect(url, server_settings={"search_path": schemas})
        yield found
    finally:
        for connection in found.values():
            await connection.close()


async def test_every_read_model_equals_its_rebuild(
    told: Harness, owners: dict[str, "asyncpg.Connection[asyncpg.Record]"]
) -> None:
    await told.quiet()
    events = {context: await events_of(connection) for context, connection in owners.items()}
    assert await caught_up(told.services, owners, events) == []
    assert await equal_to_rebuilt(told.services, owners, events) == []
