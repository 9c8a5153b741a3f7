"""Relations through the doors: what may be related, what may not, and what ends with an item."""

import asyncio
from typing import Any

import pytest
from tests.support.register import START, Register


async def standing(register: Register, key: str, **parameters: Any) -> list[tuple[str, str, str]]:
    found = await register.get(f"/items/{key}", params=parameters)
    return [(one["source_key"], one["relation"], one["target_key"]) for one in found["relations"]]


async def test_a_relation_is_seen_from_both_ends_with_its_impact(register: Register) -> None:
    await register.item("shop", "business_service")
    await register.item("db", "database")
    made = await register.relate("SHOP", "depends_on", "db")
    assert made["impact"] == "source_depends"
    for key in ("shop", "db"):
        assert await standing(register, key) == [("shop", "depends_on", "db")]
    again = await register.relate("shop", "depends_on", "db", status=200)
    assert again["id"] == made["id"]
    assert len(await register.events(made["id"])) == 1


async def test_a_relation_ends_and_begins_again_and_is_known_as_of_then(register: Register) -> None:
    await register.item("a")
    await register.item("b")
    made = await register.relate("a", "depends_on", "b")
    ended = register.pass_time(hours=1)
    await register.post(f"/relations/{made['id']}/end", {"reason": "moved"})
    await register.post(f"/relations/{made['id']}/end")
    register.pass_time(hours=1)
    assert (await register.relate("a", "depends_on", "b"))["id"] == made["id"]
    for instant, there in ((START, 1), (ended, 0), (register.running.clock.instant, 1)):
        found = await standing(register, "a", as_of=instant.isoformat())
        assert len(found) == there
        listed = await register.get("/items/b/relations", params={"as_of": instant.isoformat()})
        assert len(listed["items"]) == there
    spans = await register.pool.fetch("select valid_from, valid_to, version from relation order by valid_from")
    assert [(row["version"], row["valid_from"]) for row in spans] == [(1, START), (3, register.running.clock.instant)]


async def test_an_unknown_relation_cannot_be_ended(register: Register) -> None:
    path = "/relations/01a2b3c4-1111-4222-8333-444455556666/end"
    assert await register.refused("POST", path, status=404) == "no_such_relation"
    await register.post("/relations/nonsense/end", status=404)


@pytest.mark.parametrize(
    ("source", "relation", "target", "code"),
    [
        ("srv", "depends_on", "srv", "not_to_itself"),
        ("srv", "runs_on", "vm", "classes_do_not_go_together"),
        ("shop", "runs_on", "srv", "classes_do_not_go_together"),
        ("srv", "depends_on", "shop", "classes_do_not_go_together"),
        ("srv", "depends_on", "gone", "ends_are_there"),
        ("vm", "runs_on", "srv-2", "one_target_only"),
        ("sub", "part_of", "other", "one_target_only"),
        ("shop", "part_of", "sub-2", "no_circle"),
    ],
)
async def test_what_may_not_be_related_is_refused(
    register: Register, source: str, relation: str, target: str, code: str
) -> None:
    for key in ("srv", "srv-2", "gone"):
        await register.item(key)
    await register.item("vm", "virtual_machine")
    for key in ("shop", "sub", "sub-2", "other"):
        await register.item(key, "business_service")
    await register.post("/items/gone/retire")
    await register.relate("vm", "runs_on", "srv")
    await register.relate("sub", "part_of", "shop")
    await register.relate("sub-2", "part_of", "sub")
    body = {"source": source, "relation": relation, "target": target}
    assert await register.refused("POST", "/relations", body) == code
    told = await register.post("/relations", body, status=409, headers={"Accept-Language": "zh-CN"})
    assert told["detail"].endswith("。")


async def test_things_may_depend_on_each_other(register: Register) -> None:
    await register.item("a", "application")
    await register.item("b", "application")
    await register.relate("a", "depends_on", "b")
    await register.relate("b", "depends_on", "a")


async def test_a_connection_is_the_same_from_either_end(register: Register) -> None:
    await register.item("a", "network_device")
    await register.item("b", "network_device")
    await register.relate("a", "connected_to", "b")
    await register.relate("b", "connected_to", "a", status=200)
    assert len(await standing(register, "a")) == 1


async def test_a_class_of_ones_own_may_stand_at_either_end(register: Register) -> None:
    body = {"name_zh": "传感器", "name_en": "Sensor"}
    await register.ask("PUT", "/classes/sensor", body, status=201)
    await register.item("s", "sensor")
    await register.item("srv")
    await register.relate("s", "runs_on", "srv")
    await register.relate("srv", "part_of", "s")


async def test_retiring_an_item_ends_its_relations_in_the_same_transaction(register: Register) -> None:
    await register.item("app", "application")
    await register.item("db", "database")
    await register.item("srv")
    one = await register.relate("app", "depends_on", "db")
    two = await register.relate("db", "runs_on", "srv")
    await register.relate("app", "runs_on", "srv")
    register.pass_time(minutes=5)
    await register.post("/items/db/retire", {"reason": "given up by person-4"})
    assert await standing(register, "db") == []
    assert await standing(register, "app") == [("app", "runs_on", "srv")]
    for relation in (one, two):
        last = (await register.events(relation["id"]))[-1]
        assert (last.name, last.data["reason"]) == ("ConfigurationItemsUnrelated", "retired")
    transactions = await register.pool.fetch(
        "select distinct xmin::text from es.event where command = $1", last_command(last)
    )
    assert len(transactions) == 1


def last_command(envelope: Any) -> str:
    return str(envelope.causationid)


async def test_relations_to_what_one_may_not_see_are_not_shown(register: Register) -> None:
    await register.item("ours", organisation="acme")
    await register.item("theirs", organisation="umbrella")
    made = await register.relate("ours", "depends_on", "theirs")
    ours = register.headers(organisations=["acme"])
    assert (await register.get("/items/ours", headers=ours))["relations"] == []
    path = f"/relations/{made['id']}/end"
    assert await register.refused("POST", path, status=404, headers=ours) == "no_such_relation"
    body = {"source": "ours", "relation": "runs_on", "target": "theirs"}
    assert await register.refused("POST", "/relations", body, status=404, headers=ours) == "no_such_item"


async def test_of_two_relations_that_make_a_circle_at_once_one_is_let_in(register: Register) -> None:
    await register.item("a", "business_service")
    await register.item("b", "business_service")
    pairs = [("a", "b"), ("b", "a")] * 3
    answers = await asyncio.gather(
        *(
            register.http.post(
                "/api/cmdb/v1/relations", json={"source": source, "relation": "part_of", "target": target}
            )
            for source, target in pairs
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 200, 201, 409, 409, 409]


async def test_relations_come_in_pages(register: Register) -> None:
    await register.item("srv")
    for number in range(5):
        await register.item(f"app-{number}", "application")
        await register.relate(f"app-{number}", "runs_on", "srv")
    seen: list[str] = []
    cursor: str | None = None
    while True:
        parameters = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = await register.get("/items/srv/relations", params=parameters)
        seen += [one["source_key"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert sorted(seen) == [f"app-{number}" for number in range(5)]
