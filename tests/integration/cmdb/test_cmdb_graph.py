"""The network of items through the doors: what depends on what, now and then, what changed, and the picture of it."""

import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import quote

import pytest
from tests.support.register import BASE, START, Register

LATER = "2030-01-01T00:00:00Z"


async def shop(register: Register) -> None:
    """shop → app → db → srv → sw; crm → db; a cluster that backs the database up."""
    await register.item("shop", "business_service", name="网上商城", criticality="critical")
    await register.item("crm", "business_service")
    await register.item("app", "application")
    await register.item("db", "database")
    for key in ("srv", "spare"):
        await register.item(key)
    await register.item("sw", "network_device")
    for source, relation, target in (
        ("shop", "depends_on", "app"),
        ("app", "depends_on", "db"),
        ("crm", "depends_on", "db"),
        ("db", "runs_on", "srv"),
        ("srv", "depends_on", "sw"),
    ):
        await register.relate(source, relation, target)


def listed(reach: Any) -> list[tuple[str, int]]:
    return [(one["key"], one["distance"]) for group in reach["groups"] for one in group["items"]]


async def test_business_services_that_suffer_come_first_with_a_way(register: Register) -> None:
    await shop(register)
    found = await register.get("/items/SW/dependents")
    assert listed(found) == [("crm", 3), ("shop", 4), ("srv", 1), ("db", 2), ("app", 3)]
    assert [(group["item_class"], group["is_service"], group["count"]) for group in found["groups"]] == [
        ("business_service", True, 2),
        ("server", False, 1),
        ("database", False, 1),
        ("application", False, 1),
    ]
    way = found["groups"][0]["items"][1]
    assert way["path"] == ["sw", "srv", "db", "app", "shop"]
    assert way["relations"] == ["depends_on", "runs_on", "depends_on", "depends_on"]
    assert (found["item"]["key"], found["reached"], found["truncated"], found["as_of"]) == ("sw", 5, False, None)
    down = await register.get("/items/shop/dependencies")
    assert listed(down) == [("app", 1), ("db", 2), ("srv", 3), ("sw", 4)]


async def test_depth_class_and_limit_narrow_and_say_so(register: Register) -> None:
    await shop(register)
    assert listed(await register.get("/items/sw/dependents?depth=2")) == [("srv", 1), ("db", 2)]
    only = await register.get("/items/sw/dependents?class=business_service&class=application")
    assert (listed(only), only["truncated"]) == ([("crm", 3), ("shop", 4), ("app", 3)], False)
    cut = await register.get("/items/sw/dependents?limit=2")
    assert (listed(cut), cut["reached"], cut["truncated"]) == ([("crm", 3), ("shop", 4)], 5, True)
    assert [group["count"] for group in cut["groups"]] == [2, 1, 1, 1]


async def test_a_cycle_ends(register: Register) -> None:
    for key in ("a", "b", "c"):
        await register.item(key)
    for source, target in (("a", "b"), ("b", "c"), ("c", "a")):
        await register.relate(source, "depends_on", target)
    assert listed(await register.get("/items/a/dependencies")) == [("b", 1), ("c", 2)]
    assert listed(await register.get("/items/a/dependents")) == [("c", 1), ("b", 2)]


async def test_what_was_true_then_is_told_as_of_then(register: Register) -> None:
    await shop(register)
    before = register.pass_time(hours=1).isoformat()
    register.pass_time(hours=1)
    await register.post("/items/app/retire", {})
    await register.describe("db", key="db-new", name="新库")
    after = register.pass_time(hours=1).isoformat()
    assert listed(await register.get("/items/sw/dependents")) == [("crm", 3), ("srv", 1), ("db-new", 2)]
    past = await register.get("/items/sw/dependents", params={"as_of": before})
    assert listed(past) == [("crm", 3), ("shop", 4), ("srv", 1), ("db", 2), ("app", 3)]
    assert past["as_of"] == "2026-11-22T09:30:00.000000Z"
    assert listed(await register.get("/items/sw/dependents", params={"as_of": after})) == listed(
        await register.get("/items/sw/dependents")
    )
    told = await register.get("/items/sw/dependents?as_of=2020-01-01T00:00:00Z", status=404)
    assert told["code"] == "no_such_item"


async def test_a_merged_item_stands_for_its_duplicate(register: Register) -> None:
    await shop(register)
    await register.item("DB-TWIN", "database")
    await register.relate("crm", "depends_on", "DB-TWIN")
    twin = (await register.get("/items/db-twin"))["id"]
    register.pass_time(hours=1)
    then = register.running.clock.instant.isoformat()
    register.pass_time(hours=1)
    await register.post("/items/db-twin/merge", {"into": "db"})
    for given in (twin, "db-twin", "db"):
        found = await register.get(f"/items/{given}/dependents")
        assert found["item"]["key"] == "db"
        assert listed(found) == [("crm", 1), ("shop", 2), ("app", 1)]
    past = await register.get(f"/items/{twin}/dependents", params={"as_of": then})
    assert (past["item"]["key"], listed(past)) == ("DB-TWIN", [("crm", 1)])


async def test_items_of_other_organisations_are_neither_shown_nor_passed_through(register: Register) -> None:
    await register.item("shared", organisation="acme")
    await register.item("nobody-s")
    await register.item("foreign", "application", organisation="globex")
    await register.item("own-a", "application", organisation="acme")
    await register.item("own-b", "business_service", organisation="acme")
    for source, target in (("foreign", "shared"), ("own-a", "shared"), ("own-b", "foreign")):
        await register.relate(source, "depends_on", target)
    acme = register.headers("agent", organisations=["acme"])
    assert listed(await register.get("/items/shared/dependents", headers=acme)) == [("own-a", 1)]
    assert listed(await register.get("/items/shared/dependents")) == [("own-b", 2), ("foreign", 1), ("own-a", 1)]
    answer = await register.http.get(f"{BASE}/items/nobody-s/dependents", headers=acme)
    assert answer.status_code == 404, "as the register's lists have it"
    for path in ("dependents", "graph.svg", f"graph/difference?from={START.isoformat().replace('+', '%2B')}"):
        answer = await register.http.get(f"{BASE}/items/foreign/{path}", headers=acme)
        assert answer.status_code == 404
    drawn = await register.http.get(f"{BASE}/items/shared/graph.svg", headers=acme)
    assert "own-a" in drawn.text
    assert "foreign" not in drawn.text


async def test_the_difference_names_what_came_went_and_changed(register: Register) -> None:
    await shop(register)
    before = register.pass_time(hours=1).isoformat()
    register.pass_time(hours=1)
    await register.item("cache", "middleware")
    await register.relate("app", "depends_on", "cache")
    await register.post("/items/crm/retire", {})
    await register.describe("db", criticality="low", attributes={"engine": "PostgreSQL"})
    after = register.pass_time(hours=1).isoformat()
    found = await register.get("/items/app/graph/difference", params={"from": before, "to": after})
    assert [one["key"] for one in found["items"]["appeared"]] == ["cache"]
    assert found["items"]["gone"] == []
    [changed] = found["items"]["changed"]
    assert changed["item"]["key"] == "db"
    assert changed["facts"]["criticality"]["after"] == "low"
    assert changed["facts"]["attributes.engine"] == {"before": None, "after": "PostgreSQL"}
    related = {"source": "app", "target": "cache", "relation": "depends_on", "impact": "source_depends"}
    assert found["relations"] == {"appeared": [related], "gone": [], "changed": []}
    wider = await register.get("/items/db/graph/difference", params={"from": before})
    assert [one["key"] for one in wider["items"]["gone"]] == ["crm"]
    assert wider["until"] == after.replace("+00:00", ".000000Z")
    back = await register.get("/items/app/graph/difference", params={"from": after, "to": before}, status=422)
    assert back["errors"][0]["pointer"] == "/to"
    born = await register.get("/items/cache/graph/difference", params={"from": before, "to": after})
    assert sorted(one["key"] for one in born["items"]["appeared"]) == ["app", "cache", "shop"]
    await register.get("/items/cache/graph/difference", params={"from": START.isoformat(), "to": before}, status=404)


async def test_the_picture_is_an_image_that_can_do_nothing(register: Register) -> None:
    await shop(register)
    evil = '<script>alert("x")</script>'
    await register.item("evil", "application", name=evil)
    await register.relate("evil", "depends_on", "db")
    answer = await register.http.get(f"{BASE}/items/db/graph.svg?lang=en")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    root = ET.fromstring(answer.content)  # noqa: S314
    shown = " ".join("".join(found.itertext()) for found in root.iter("{http://www.w3.org/2000/svg}text"))
    assert "Database" in shown
    assert "网上商城" in shown
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    assert (await register.http.get(f"{BASE}/items/db/graph.svg?lang=en")).content == answer.content
    one_way = await register.http.get(f"{BASE}/items/db/graph.svg?direction=dependents&depth=1")
    assert "srv" not in one_way.text
    past = await register.http.get(f"{BASE}/items/db/graph.svg", params={"as_of": LATER})
    assert "截至 2030-01-01" in past.text


@pytest.mark.parametrize(
    "query",
    [
        "dependents?depth=0",
        "dependents?depth=101",
        "dependents?as_of=2026-11-22T08:30:00",
        "dependents?as_of=yesterday",
        "dependencies?limit=5001",
        "graph/difference",
        "graph.svg?direction=sideways",
        "graph.svg?depth=7",
        "graph.svg?lang=fr",
    ],
)
async def test_what_cannot_be_meant_is_refused(register: Register, query: str) -> None:
    await register.item("a")
    await register.get(f"/items/a/{query}", status=422)


async def test_a_stranger_and_an_unknown_item_get_nothing(register: Register) -> None:
    await register.item("a")
    await register.get("/items/a/dependents", status=403, headers=register.headers("requester"))
    for name in ("nothing", "x' or '1'='1", "％00", "字" * 150):
        assert (await register.get(f"/items/{quote(name)}/dependents", status=404))["code"] == "no_such_item"


@pytest.mark.parametrize(
    "path", ["%00/dependents", "%FF/graph.svg", "%ED%A0%80/dependencies", "a/dependents?class=%00"]
)
async def test_what_is_no_text_is_no_item(register: Register, path: str) -> None:
    answer = await register.http.get(f"{BASE}/items/{path}")
    assert 400 <= answer.status_code < 500, answer.text
