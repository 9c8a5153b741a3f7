"""How critical an incident's item is goes with its opening, from whatever side it comes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

import asyncpg
import pytest
from tests.support.bus import a_bus, subscribed
from tests.support.histories import INVENTED, rows_of, stories
from tests.support.incident_desk import START, Desk, alert
from tests.support.known_items import KnownItems, facts, item_id

from incident.app import SERVICE
from incident.importing.recording import record
from opsledger_events import Envelope
from opsledger_events.contexts.cmdb import ConfigurationItemDescribed, ConfigurationItemOwnerNamed, Identifier
from opsledger_runtime.clock import SystemClock
from opsledger_runtime.migrations import MigrationSet, migrate
from opsledger_runtime.store import EventStore, Transaction
from opsledger_runtime.subscriptions import Subscription, wait_applied

[ITEMS] = SERVICE.subscriptions
REGISTERED = "cmdb.ConfigurationItemRegistered.v1"


async def opening(desk: Desk, incident: str) -> Any:
    return (await desk.events(incident))[0].data


@pytest.mark.parametrize("owner", ["dba", None])
async def test_a_report_carries_its_items_criticality(desk: Desk, items: KnownItems, owner: str | None) -> None:
    await items.item("DB-01", owner, criticality="critical")
    incident = await desk.open(configuration_item="db-01")
    assert (await opening(desk, incident))["criticality"] == "critical"
    [listed] = (await desk.get("/incidents"))["items"]
    assert listed["criticality"] == (await desk.get(f"/incidents/{incident}"))["criticality"] == "critical"


async def test_an_alert_carries_its_items_criticality(desk: Desk, items: KnownItems) -> None:
    await items.item("db-01", "dba", criticality="low", identifiers=[Identifier(kind="ip", value="10.2.3.4")])
    labels = {"alertname": "Down", "instance": "10.2.3.4:9100"}
    await desk.webhook({**alert("f1"), "labels": labels}, {**alert("f2"), "labels": {**labels, "team": "network"}})
    found = (await desk.get("/incidents"))["items"]
    assert [(row["criticality"], row["configuration_item"]) for row in found] == [("low", "db-01")] * 2
    assert {row["team"] for row in found} == {"dba", "network"}


async def test_an_item_that_is_unknown_or_of_others_has_no_criticality(desk: Desk, items: KnownItems) -> None:
    await items.item("db-01", "dba", organisation="acme")
    await items.tell((item_id("x"), ConfigurationItemOwnerNamed(key="x", owner_team="dba")))
    reports: list[dict[str, Any]] = [
        {},
        {"configuration_item": "db-02"},
        {"configuration_item": "x"},
        {"configuration_item": "db-01", "organisation": "globex"},
    ]
    for given in reports:
        incident = await desk.open(**given)
        assert "criticality" not in await opening(desk, incident)
        assert (await desk.get(f"/incidents/{incident}"))["criticality"] is None


async def test_nobody_states_a_criticality_by_hand(desk: Desk) -> None:
    report = {"title": "x", "impact": 1, "urgency": 1, "criticality": "critical"}
    await desk.post("/incidents", report, status=422)


async def test_an_opening_keeps_what_was_known_then(desk: Desk, items: KnownItems) -> None:
    await items.item("db-01", criticality="low")
    before = await desk.open(configuration_item="db-01")
    await items.tell((item_id("db-01"), ConfigurationItemDescribed(**facts("db-01", criticality="critical"))))
    after = await desk.open(configuration_item="db-01")
    assert (await desk.get(f"/incidents/{before}"))["criticality"] == "low"
    assert (await desk.get(f"/incidents/{after}"))["criticality"] == "critical"


async def test_an_imported_incident_carries_its_items_criticality(desk: Desk, items: KnownItems) -> None:
    told = stories(rows_of(INVENTED.read_bytes(), START)[0])
    named = {story.steps[0].events[0].model_dump()["configuration_item"] for story in told} - {None}
    key = min(named)
    await items.item(key, "dba", criticality="critical")
    for _ in range(2):
        await record(desk.running.store, "servicenow-1", told)
    rows = await desk.pool.fetch("select configuration_item, criticality, team from incident_queue")
    assert {(row["configuration_item"] == key, row["criticality"]) for row in rows} == {
        (True, "critical"),
        (False, None),
    }
    assert {row["team"] for row in rows} & {"dba"} == set()


@dataclass(frozen=True, slots=True)
class _Before(MigrationSet):
    """The migrations of a release that knew no criticality."""

    def scripts(self) -> list[Traversable]:
        return [script for script in MigrationSet.scripts(self) if script.name < "0006"]


async def _handled_before(transaction: Transaction, envelopes: Sequence[Envelope]) -> None:
    for envelope in envelopes:
        if envelope.subject == "ci-odd":
            raise ValueError("that release could not take it")
        await transaction.connection.execute(
            "insert into ci (item, key, name, aliases, addresses) values ($1, 'db-01', '', '{}', '{}')",
            envelope.subject,
        )


@asynccontextmanager
async def _store(database: str) -> AsyncIterator[EventStore]:
    path = {"search_path": "incident, es", "timezone": "UTC"}
    async with asyncpg.create_pool(database, min_size=1, max_size=6, server_settings=path) as pool:
        yield EventStore("incident", "test", pool, SystemClock())


async def test_an_installation_from_before_learns_how_critical_its_items_are(database: str, fresh_nats: str) -> None:
    es = MigrationSet("opsledger_runtime", ("es",))
    await migrate(database, [es, _Before("incident", ("incident",))], None)
    older = Subscription("items", 1, ITEMS.contexts, ITEMS.reads, _handled_before)
    async with _store(database) as store, a_bus(fresh_nats, ITEMS) as bus:
        async with subscribed(fresh_nats, store, older):
            await bus.publish(bus.make(REGISTERED, "ci-db-01"), bus.make(REGISTERED, "ci-odd"))
            assert await wait_applied(store.pool, ["items"], "cmdb", 2, 30)
        assert await store.pool.fetchval("select count(*) from es.parked") == 1
        assert await migrate(database, [es, MigrationSet("incident", ("incident",))], None) == 1
        async with subscribed(fresh_nats, store, ITEMS) as newer:
            assert await wait_applied(store.pool, ["items"], "cmdb", 2, 30)
            status = await newer.status()
            assert (status["rebuild_needed"], status["parked"]) == (False, 0)
        rows = await store.pool.fetch("select item, criticality from ci order by item")
        assert [tuple(row) for row in rows] == [("ci-db-01", "critical"), ("ci-odd", "critical")]
