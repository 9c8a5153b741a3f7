"""What fails because of something else is grouped under it, in whatever order the alerts come."""

import asyncio
from typing import Any

import pytest
from tests.support.incident_desk import Desk, alert
from tests.support.known_items import KnownItems

from incident.intake.failing import Failures
from opsledger_events.contexts.cmdb import ConfigurationItemClassDefined


def down(key: str, **given: Any) -> dict[str, Any]:
    return {**alert(f"f-{key}", **given), "labels": {"alertname": "Down", "instance": f"{key}:9100"}}


async def fails(desk: Desk, *keys: str) -> None:
    await desk.webhook(*(down(key) for key in keys))


async def by_item(desk: Desk, **parameters: Any) -> dict[str, Any]:
    found = await desk.get("/incidents", params={"sort": "opened", **parameters})
    return {row["configuration_item"]: row for row in found["items"]}


async def parents(desk: Desk) -> dict[str, str | None]:
    """Whose incident each item's is grouped under, by key."""
    found = await by_item(desk)
    keys = {row["id"]: key for key, row in found.items()}
    return {key: None if row["parent"] is None else keys[row["parent"]] for key, row in found.items()}


async def test_what_depends_on_a_failed_item_is_grouped_under_it(desk: Desk, items: KnownItems) -> None:
    await items.chain("shop", "app", "db", "sw", owner="dba")
    await fails(desk, "sw")
    await fails(desk, "shop")
    found = await by_item(desk)
    child, parent = found["shop"], found["sw"]
    assert (child["parent"], child["parent_number"], child["state"]) == (parent["id"], parent["number"], "assigned")
    events = await desk.events(child["id"])
    assert [envelope.name for envelope in events] == ["IncidentOpened", "IncidentAssigned", "IncidentGrouped"]
    assert events[2].data == {
        "parent": parent["id"],
        "parent_number": parent["number"],
        "path": ["shop", "app", "db", "sw"],
    }
    assert {envelope.causationid for envelope in events} == {events[0].correlationid}
    assert [envelope.data.get("parent") for envelope in events] == [parent["id"]] * 3
    assert (await desk.get(f"/incidents/{child['id']}"))["path"] == ["shop", "app", "db", "sw"]


async def test_a_cause_that_is_seen_later_collects_what_it_broke(desk: Desk, items: KnownItems) -> None:
    await items.chain("shop", "app", "db", "sw")
    await items.item("printer")
    await fails(desk, "shop", "printer")
    await fails(desk, "db")
    assert await parents(desk) == {"shop": "db", "printer": None, "db": None}
    await fails(desk, "sw", "app")
    assert await parents(desk) == {"shop": "db", "printer": None, "db": "sw", "sw": None, "app": "sw"}
    cause = (await by_item(desk))["sw"]
    collected = await desk.events((await by_item(desk))["db"]["id"])
    assert [envelope.name for envelope in collected] == ["IncidentOpened", "IncidentGrouped"]
    assert "parent" not in collected[0].data
    detail = await desk.get(f"/incidents/{cause['id']}")
    assert detail["children"]["count"] == 2
    assert [row["configuration_item"] for row in detail["children"]["items"]] == ["db", "app"]


@pytest.mark.parametrize("order", [("sw", "db", "shop"), ("shop", "db", "sw"), ("db", "shop", "sw")])
async def test_all_in_one_batch_end_under_the_root(desk: Desk, items: KnownItems, order: tuple[str, ...]) -> None:
    await items.chain("shop", "db", "sw")
    await fails(desk, *order)
    assert await parents(desk) == {"shop": "sw", "db": "sw", "sw": None}
    for row in (await by_item(desk, grouped="only")).values():
        opened = (await desk.events(row["id"]))[0]
        assert opened.data["parent"] == row["parent"], "known as it opens, so that nobody is called twice"


async def test_items_that_depend_on_each_other_make_no_circle(desk: Desk, items: KnownItems) -> None:
    await items.chain("a", "b", "a2")
    await items.relate("b", "a")
    await items.relate("a2", "a")
    await fails(desk, "a")
    await fails(desk, "b")
    await fails(desk, "a2")
    found = await parents(desk)
    assert found["a"] is None
    assert {found["b"], found["a2"]} <= {"a", "b"}


async def test_only_open_incidents_of_alerts_are_causes_and_children(desk: Desk, items: KnownItems) -> None:
    await items.chain("shop", "db", "sw")
    await desk.open(configuration_item="sw")
    await fails(desk, "shop")
    assert (await by_item(desk))["shop"]["parent"] is None
    child = (await by_item(desk))["shop"]["id"]
    await desk.post(f"/incidents/{child}/cancel", {"reason": "no"})
    await fails(desk, "db")
    cause = (await by_item(desk))["db"]["id"]
    await desk.post(f"/incidents/{cause}/resolve", {"responsibility": "provider", "resolution": "done"})
    await desk.webhook(down("shop", startsAt="2026-11-22T08:29:00Z"))
    rows = (await desk.get("/incidents"))["items"]
    assert [row["parent"] for row in rows] == [None] * 4


async def test_a_grouped_incident_stays_open_when_its_cause_is_resolved(desk: Desk, items: KnownItems) -> None:
    await items.chain("shop", "sw", owner="dba")
    await fails(desk, "sw", "shop")
    found = await by_item(desk)
    await desk.post(f"/incidents/{found['sw']['id']}/resolve", {"responsibility": "provider", "resolution": "replaced"})
    child = (await by_item(desk))["shop"]
    assert (child["state"], child["parent"]) == ("assigned", found["sw"]["id"])


async def test_a_cause_that_ended_within_the_batch_is_none(resolving: Desk) -> None:
    items = KnownItems(resolving)
    await items.chain("shop", "sw")
    await fails(resolving, "sw")
    await resolving.webhook(down("sw", status="resolved"), down("shop", startsAt="2026-11-22T08:29:59Z"))
    assert await parents(resolving) == {"shop": None, "sw": None}


async def test_a_relation_that_ended_groups_nothing(desk: Desk, items: KnownItems) -> None:
    await items.chain("shop", "sw")
    await items.unrelate("shop", "sw")
    await fails(desk, "sw", "shop")
    assert await parents(desk) == {"shop": None, "sw": None}


async def test_a_queue_shows_grouped_incidents_or_not(desk: Desk, items: KnownItems) -> None:
    await items.chain("shop", "sw")
    await fails(desk, "sw", "shop")
    assert set(await by_item(desk)) == set(await by_item(desk, grouped="all")) == {"sw", "shop"}
    assert set(await by_item(desk, grouped="hide")) == {"sw"}
    assert set(await by_item(desk, grouped="only")) == {"shop"}
    assert set(await by_item(desk, grouped="only", q="sw-core")) == {"shop"}
    await desk.get("/incidents?grouped=some", status=422)


async def test_causes_and_what_they_break_find_each_other_at_the_same_time(desk: Desk, items: KnownItems) -> None:
    await items.chain("shop", "app", "db", "sw")
    keys = ("shop", "app", "db", "sw")
    await asyncio.gather(*(fails(desk, key) for key in keys))
    found = await parents(desk)
    assert found.pop("sw") is None
    assert None not in found.values()
    for key in found:  # and each way ends at the root
        assert found[key] in keys[keys.index(key) + 1 :]


async def test_the_queue_is_what_the_events_say(desk: Desk, items: KnownItems) -> None:
    await items.chain("shop", "db", "sw")
    await fails(desk, "shop", "db")
    await fails(desk, "sw")
    for row in (await by_item(desk)).values():
        past = await desk.get(f"/incidents/{row['id']}?as_of=2026-11-22T09:00:00Z")
        assert {name: past[name] for name in row} == row
        assert (past["affected"], past["children"]) == (None, None)


async def test_the_detail_tells_whom_it_hits_business_services_first(desk: Desk, items: KnownItems) -> None:
    service = ConfigurationItemClassDefined(
        key="business_service", name_zh="业务", name_en="Service", is_service=True, revision=1
    )
    await items.tell(("class-service", service))
    await items.item("shop", item_class="business_service", organisation="acme")
    await items.item("crm", item_class="business_service", organisation="globex")
    await items.chain("app", "db", "sw")
    for dependent in ("shop", "crm"):
        await items.relate(dependent, "app")
    await items.relate("sw", "app")  # a circle ends
    incident = await desk.open(configuration_item="SW", organisation="acme")
    affected = (await desk.get(f"/incidents/{incident}"))["affected"]
    assert [(one["key"], one["distance"], one["is_service"]) for one in affected["items"]] == [
        ("crm", 3, True),
        ("shop", 3, True),
        ("db", 1, False),
        ("app", 2, False),
    ]
    assert affected["count"] == 4
    limited = await desk.get(f"/incidents/{incident}", headers=desk.headers("agent", organisations=["acme"]))
    assert [one["key"] for one in limited["affected"]["items"]] == ["shop", "db", "app"]
    mine = await desk.open(configuration_item="sw", requester="person-7", organisation="acme")
    requester = desk.headers("requester", subject="person-7", organisations=["acme"])
    assert (await desk.get(f"/incidents/{mine}", headers=requester))["affected"] is None
    for item in ("nothing", None):
        other = await desk.open(configuration_item=item)
        assert (await desk.get(f"/incidents/{other}"))["affected"] is None


async def test_what_is_listed_is_bounded_and_counted(desk: Desk, items: KnownItems) -> None:
    await items.item("sw")
    keys = [f"srv-{number:02d}" for number in range(60)]
    for key in keys:
        await items.item(key)
        await items.relate(key, "sw")
    await fails(desk, *keys)
    await fails(desk, "sw")
    cause = (await desk.get("/incidents?configuration_item=sw"))["items"][0]
    detail = await desk.get(f"/incidents/{cause['id']}")
    for part in (detail["affected"], detail["children"]):
        assert (part["count"], len(part["items"])) == (60, 50)


async def test_whoever_comes_in_between_makes_the_batch_be_judged_anew(
    desk: Desk, items: KnownItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    await items.chain("shop", "app", "sw")
    await fails(desk, "shop", "app")
    found = await by_item(desk)
    first = (await by_item(desk))["app"]["id"]
    assert found["shop"]["parent"] == first
    group = Failures.group
    tried: list[int] = []

    async def disturbed(self: Failures, metadata: Any) -> None:
        if not tried:
            await desk.post(f"/incidents/{first}/note", {"text": "looking into it"})
        tried.append(len(self.plan))
        await group(self, metadata)

    monkeypatch.setattr(Failures, "group", disturbed)
    await fails(desk, "sw")
    assert tried == [1, 1]
    names = [envelope.name for envelope in await desk.events(first)]
    assert names == ["IncidentOpened", "IncidentNoted", "IncidentGrouped"]
    assert len((await desk.get("/incidents"))["items"]) == 3


async def test_what_is_resolved_in_between_is_not_grouped(
    desk: Desk, items: KnownItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    await items.chain("app", "sw")
    await fails(desk, "app")
    child = (await by_item(desk))["app"]["id"]
    group = Failures.group
    tried: list[int] = []

    async def disturbed(self: Failures, metadata: Any) -> None:
        if not tried:
            done = {"responsibility": "provider", "resolution": "restarted"}
            await desk.post(f"/incidents/{child}/resolve", done)
        tried.append(len(self.plan))
        await group(self, metadata)

    monkeypatch.setattr(Failures, "group", disturbed)
    await fails(desk, "sw")
    assert tried == [1, 0]
    assert await parents(desk) == {"app": None, "sw": None}
