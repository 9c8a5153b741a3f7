"""R67: what is known of an item decides who is woken, unless somebody is named."""

from typing import Any

import pytest
from tests.support.incident_desk import Desk, alert
from tests.support.known_items import KnownItems, facts, item_id

from incident import looking_up
from opsledger_events.contexts.cmdb import (
    ConfigurationItemAbsorbed,
    ConfigurationItemDescribed,
    ConfigurationItemEditUndone,
    ConfigurationItemMerged,
    ConfigurationItemOwnerNamed,
    ConfigurationItemRetired,
    Identifier,
)


async def listed(desk: Desk) -> list[Any]:
    return list((await desk.get("/incidents?sort=opened"))["items"])


async def fires(desk: Desk, fingerprint: str = "f", **labels: str) -> Any:
    """An alert with these labels alone names its item; the incident that it opens."""
    told = {"alertname": "Down", **labels}
    await desk.webhook({**alert(fingerprint), "labels": told})
    return (await listed(desk))[-1]


async def test_r67_an_alert_is_assigned_to_the_owner_of_its_item(desk: Desk, items: KnownItems) -> None:
    await items.item("DB-01", "dba")
    found = await fires(desk, instance="db-01:9100")
    assert (found["state"], found["team"], found["configuration_item"]) == ("assigned", "dba", "DB-01")
    opened, assigned = await desk.events(found["id"])
    assert "team" not in opened.data
    assert assigned.data == {"team": "dba", "owner_of": "DB-01"}
    assert (opened.correlationid, opened.recordedtime) == (assigned.correlationid, assigned.recordedtime)


@pytest.mark.parametrize(
    ("labels", "known"),
    [
        ({"configuration_item": "db-01"}, True),
        ({"configuration_item": "payroll", "instance": "db-01"}, False),
        ({"instance": "db-01"}, True),
        ({"instance": "db-01:9100"}, True),
        ({"instance": "https://db-01/health?x=1"}, True),
        ({"instance": "http://user@db-01:8443"}, True),
        ({"instance": "DB-01.acme.example:9100"}, True),
        ({"instance": "10.2.3.4:9100"}, True),
        ({"instance": "[fe80::1]:9100"}, True),
        ({"instance": "fe80::1"}, True),
        ({"instance": "exporter:9100", "host": "db-01"}, True),
        ({"node": "db-01"}, True),
        ({"device": "db-01"}, True),
        ({"pod": "db-01"}, False),
        ({"instance": "db-011"}, False),
        ({"instance": "db-01:port"}, False),
        ({"instance": ":9100"}, False),
        ({"instance": "x" * 5000}, False),
        ({"instance": "'; drop table ci; --"}, False),
        ({"instance": "CN-7731"}, False),
    ],
)
async def test_r67_an_item_is_known_by_what_monitoring_calls_it(
    desk: Desk, items: KnownItems, labels: dict[str, str], known: bool
) -> None:
    names = {"fqdn": "db-01.acme.example", "ip": "10.2.3.4", "serial": "CN-7731"}
    identifiers = [Identifier(kind=kind, value=value) for kind, value in names.items()]
    identifiers.append(Identifier(kind="ip", value="FE80::1"))
    await items.item("db-01", "dba", identifiers=identifiers)
    found = await fires(desk, **labels)
    assert (found["team"], found["state"]) == (("dba", "assigned") if known else (None, "new"))


async def test_r67_a_named_team_wins(desk: Desk, items: KnownItems) -> None:
    await items.item("db-01", "dba")
    found = await fires(desk, instance="db-01", team="network")
    assert found["team"] == "network"
    _, assigned = await desk.events(found["id"])
    assert assigned.data == {"team": "network"}


async def test_r67_a_report_by_a_person_is_assigned_too(desk: Desk, items: KnownItems) -> None:
    await items.item("db-01", "dba")
    known = await desk.get(f"/incidents/{await desk.open(configuration_item='DB-01')}")
    assert (known["state"], known["team"], known["configuration_item"]) == ("assigned", "dba", "DB-01")
    for item in ("db-02", None):
        unknown = await desk.get(f"/incidents/{await desk.open(configuration_item=item)}")
        assert (unknown["state"], unknown["team"]) == ("new", None)
    assert len({row["number"] for row in await listed(desk)}) == 3


async def test_r67_an_item_without_an_owner_assigns_nobody(desk: Desk, items: KnownItems) -> None:
    await items.item("db-01")
    assert (await fires(desk, "f1", instance="db-01"))["state"] == "new"
    await items.tell((item_id("db-01"), ConfigurationItemOwnerNamed(key="db-01", owner_team="dba")))
    assert (await fires(desk, "f2", instance="db-01"))["team"] == "dba"


async def test_r67_an_address_of_two_items_wakes_nobody(desk: Desk, items: KnownItems) -> None:
    shared = [Identifier(kind="ip", value="10.0.0.1")]
    await items.item("a", "team-a", identifiers=shared)
    await items.item("b", "team-b", identifiers=shared)
    assert (await fires(desk, "f1", instance="10.0.0.1:9100"))["team"] is None
    assert (await fires(desk, "f2", instance="10.0.0.1:9100", host="b"))["team"] == "team-b"
    await items.tell((item_id("a"), ConfigurationItemRetired(key="a")))
    assert (await fires(desk, "f3", instance="10.0.0.1:9100"))["team"] == "team-b"


async def test_r67_a_key_wins_over_an_address(desk: Desk, items: KnownItems) -> None:
    await items.item("10.0.0.1", "keys")
    await items.item("b", "addresses", identifiers=[Identifier(kind="ip", value="10.0.0.1")])
    assert (await fires(desk, instance="10.0.0.1:9100"))["team"] == "keys"


async def test_r67_an_item_of_another_organisation_does_not_answer(desk: Desk, items: KnownItems) -> None:
    await items.item("db-01", "dba", organisation="acme")
    assert (await fires(desk, "f1", instance="db-01", organisation="globex"))["team"] is None
    assert (await fires(desk, "f2", instance="db-01", organisation="acme"))["team"] == "dba"
    assert (await fires(desk, "f3", instance="db-01"))["team"] == "dba"


async def test_r67_names_follow_what_becomes_of_an_item(desk: Desk, items: KnownItems) -> None:
    await items.item("old", "dba", identifiers=[Identifier(kind="ip", value="10.0.0.1")])
    renamed = facts("new", owner_team="dba")
    await items.tell((item_id("old"), ConfigurationItemDescribed(**renamed, previous_key="old")))
    assert (await fires(desk, "f1", instance="old"))["team"] is None
    assert (await fires(desk, "f2", instance="10.0.0.1:9100"))["team"] is None
    assert (await fires(desk, "f3", instance="new"))["team"] == "dba"
    await items.tell((item_id("old"), ConfigurationItemRetired(key="new")))
    assert (await fires(desk, "f4", instance="new"))["team"] is None
    await items.tell((item_id("old"), ConfigurationItemEditUndone(**facts("new", owner_team="net"), undone_version=3)))
    assert (await fires(desk, "f5", instance="new"))["team"] == "net"


async def test_r67_a_merged_item_is_known_by_its_duplicates_names(desk: Desk, items: KnownItems) -> None:
    for key in ("twin", "TWIN-2", "db-01"):
        await items.item(key, "dba" if key == "db-01" else "lost")

    def absorbed(key: str, duplicate: str, *values: str) -> tuple[str, ConfigurationItemAbsorbed]:
        identifiers = [Identifier(kind="fqdn", value=value) for value in values]
        found = ConfigurationItemAbsorbed(
            key=key, duplicate=item_id(duplicate), duplicate_key=duplicate, identifiers=identifiers
        )
        return item_id(key), found

    def merged(key: str, into: str) -> tuple[str, ConfigurationItemMerged]:
        return item_id(key), ConfigurationItemMerged(key=key, into=item_id(into), into_key=into)

    await items.tell(merged("twin", "TWIN-2"), absorbed("TWIN-2", "twin", "twin.example"))
    await items.tell(absorbed("db-01", "TWIN-2", "twin.example"), merged("TWIN-2", "db-01"))
    for number, name in enumerate(("twin", "twin-2", "db-01", "TWIN.example")):
        found = await fires(desk, f"f{number}", instance=name)
        assert (found["team"], found["configuration_item"]) == ("dba", "db-01")


async def test_r67_an_item_of_unknown_beginning_answers_with_what_is_known(desk: Desk, items: KnownItems) -> None:
    await items.tell((item_id("x"), ConfigurationItemOwnerNamed(key="x", owner_team="dba")))
    assert (await fires(desk, instance="x"))["team"] == "dba"


async def test_r67_the_look_up_costs_one_statement_for_a_batch_and_none_for_repeats(
    desk: Desk, items: KnownItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    look_up = looking_up.look_up_failing

    async def counted(connection: Any, names: Any, found: Any) -> None:
        wanted = set(names)
        asked.append(len(wanted))
        await look_up(connection, wanted, found)

    monkeypatch.setattr("incident.intake.taking.look_up_failing", counted)
    await items.item("srv-1", "dba")
    batch = [{**alert(f"f{n}"), "labels": {"instance": f"srv-{n}"}} for n in range(20)]
    await desk.webhook(*batch)
    assert asked == [20]
    assert [row["team"] for row in await listed(desk)].count("dba") == 1
    await desk.webhook(*batch)
    assert sum(asked) == 20
