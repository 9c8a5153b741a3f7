"""Items that nobody answers for (R34), and items that may be the same."""

from typing import Any

from tests.support.register import Register

from cmdb import ownership


async def test_r34_an_item_in_use_without_those_who_answer_for_it_is_reported(register: Register) -> None:
    whole: dict[str, Any] = {"owner_team": "dba", "administrator": "person-3", "database_administrator": "person-9"}
    await register.item("whole", "database", **whole)
    await register.item("no-dba", "database", owner_team="dba", administrator="person-3")
    await register.item("nobody", "database")
    await register.item("server", administrator="person-3")
    await register.item("device", "end_user_device", owner_team="desk")
    await register.item("stored", "end_user_device", lifecycle="in_stock")
    await register.item("planned", "database", lifecycle="planned")
    await register.item("gone", "database")
    await register.post("/items/gone/retire")

    async def gaps(**parameters: Any) -> dict[str, list[str]]:
        found = await register.get("/ownership-gaps", params=parameters)
        return {gap["item"]["key"]: gap["missing"] for gap in found["items"]}

    assert await gaps() == {
        "no-dba": ["database_administrator"],
        "nobody": ["owner_team", "administrator", "database_administrator"],
        "server": ["owner_team"],
        "stored": ["owner_team"],
    }
    assert await gaps(missing="database_administrator") == {
        key: missing for key, missing in (await gaps()).items() if "database_administrator" in missing
    }
    assert (await gaps(**{"class": "server"})).keys() == {"server"}
    counts = await register.get("/ownership-gaps/counts")
    assert counts["items"] == 4
    assert {(one["item_class"], one["missing"]): one["items"] for one in counts["counts"]} == {
        ("database", "administrator"): 1,
        ("database", "database_administrator"): 2,
        ("database", "owner_team"): 1,
        ("end_user_device", "owner_team"): 1,
        ("server", "owner_team"): 1,
    }
    gauge = await ownership.gauge(register.pool)
    assert gauge == {("owner_team",): 3, ("administrator",): 1, ("database_administrator",): 2}
    await register.post("/items/no-dba/owner", whole)
    assert "no-dba" not in await gaps()
    first = await register.get("/ownership-gaps?limit=2")
    second = await register.get("/ownership-gaps", params={"limit": 2, "cursor": first["next"]})
    assert [gap["item"]["key"] for page in (first, second) for gap in page["items"]] == ["nobody", "server", "stored"]


async def test_r34_what_a_class_needs_is_what_it_is_defined_to_need_now(register: Register) -> None:
    await register.item("rack", "facility", owner_team="site")
    assert (await register.get("/ownership-gaps"))["items"] == []
    body = {"name_zh": "机房设施", "name_en": "Facility", "needs_administrator": True}
    await register.ask("PUT", "/classes/facility", body, headers={"If-Match": '"1"'})
    assert [gap["missing"] for gap in (await register.get("/ownership-gaps"))["items"]] == [["administrator"]]


async def test_r34_the_metric_counts_what_is_missing(register: Register) -> None:
    assert set((await ownership.gauge(register.pool)).values()) == {0.0}
    answer = await register.http.get("/metrics")
    assert 'opsledger_cmdb_ownership_gaps{context="cmdb",missing="owner_team"} 0.0' in answer.text


async def test_gaps_and_duplicates_are_of_the_callers_organisations(register: Register) -> None:
    for key in ("a", "b"):
        await register.item(key, organisation="umbrella", name="same")
    ours = register.headers(organisations=["acme"])
    assert (await register.get("/ownership-gaps", headers=ours))["items"] == []
    assert (await register.get("/ownership-gaps/counts", headers=ours))["items"] == 0
    assert (await register.get("/duplicates", headers=ours))["items"] == []


async def test_items_that_share_an_identifier_or_a_name_are_offered_for_merging(register: Register) -> None:
    one = await register.item("a", identifiers=[{"kind": "serial", "value": "CN-7"}])
    register.pass_time(minutes=1)
    two = await register.item("b", identifiers=[{"kind": "serial", "value": "cn-7"}])
    await register.item("c", "database", name="Orders DB")
    await register.item("d", "database", name="ｏｒｄｅｒｓ-db")
    await register.item("e", name="Orders DB")
    for key in ("f", "g"):
        await register.item(key, identifiers=[{"kind": "ip", "value": "10.0.0.1"}])
    found = (await register.get("/duplicates"))["items"]
    assert [(group["reason"], [item["key"] for item in group["items"]]) for group in found] == [
        ("identifier", ["a", "b"]),
        ("name", ["c", "d"]),
    ]
    (offer,) = found[0]["merges"]
    assert (offer["path"], offer["into"]) == (f"/api/cmdb/v1/items/{two['id']}/merge", one["id"])
    await register.post(offer["path"].removeprefix("/api/cmdb/v1"), {"into": offer["into"]})
    assert [group["reason"] for group in (await register.get("/duplicates"))["items"]] == ["name"]
    assert (await register.get("/duplicates?limit=1"))["next"] is None
