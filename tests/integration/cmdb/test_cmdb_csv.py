"""A CSV file of items: good lines go in, every other is told with its number, and the same file changes nothing."""

from typing import Any

import pytest
from tests.support.register import Register

from cmdb.intake import csv_file
from cmdb.intake.csv_file import TEMPLATE
from cmdb.intake.line import Report
from cmdb.intake.planning import Planner
from cmdb.intake.taking import Taking
from cmdb.projections import classes
from opsledger_runtime import ids
from opsledger_runtime.auth import Caller
from opsledger_runtime.store import Metadata

HEADER = "key,name,class,lifecycle,owner_team,identifier:serial,attribute:port,depends_on,runs_on\n"


async def send(
    register: Register, text: str | bytes, query: str = "", *, status: int = 200, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    body = text.encode() if isinstance(text, str) else text
    answer = await register.http.post(
        f"/api/cmdb/v1/imports/csv{query}", content=body, headers={"Content-Type": "text/csv", **(headers or {})}
    )
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    if status == 200:
        told = ("registered", "changed", "unchanged", "ambiguous", "rejected")
        assert sum(found[name] for name in told) == found["received"]
    return found


def counts(found: dict[str, Any]) -> dict[str, int]:
    told = ("registered", "changed", "unchanged", "ambiguous", "rejected", "related")
    return {name: found[name] for name in told if found[name]}


async def test_the_template_is_a_file_that_goes_in_and_then_changes_nothing(register: Register) -> None:
    answer = await register.http.get("/api/cmdb/v1/imports/csv/template")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert answer.content.decode() == TEMPLATE
    first = await send(register, answer.content)
    assert (counts(first), first["problems"]) == ({"registered": 4, "related": 4}, [])
    events = await register.pool.fetchval("select count(*) from es.event")
    again = await send(register, answer.content)
    assert (counts(again), again["problems"]) == ({"unchanged": 4}, [])
    assert await register.pool.fetchval("select count(*) from es.event") == events + 1
    shop = await register.get("/items/shop")
    assert [one["target_key"] for one in shop["relations"]] == ["shop-app"]
    database = await register.get("/items/orders-db")
    assert (database["database_administrator"], database["attributes"]) == ("person-9", {"version": "16"})


async def test_every_line_that_does_not_go_in_is_told_with_its_number(register: Register) -> None:
    await register.item("known", identifiers=[{"kind": "serial", "value": "CN-1"}])
    await register.item("gone-dup")
    await register.post("/items/gone-dup/merge", {"into": "known"})
    text = HEADER + (
        "a,甲,server,,,,,,\n"
        "b c,乙,server,,,,,,\n"
        "\n"
        "d,丁,teapot,,,,,,\n"
        "e,戊,server,flying,,,,,\n"
        'f,"己\n庚",server,,,,,,\n'
        "A,again,server,,,,,,\n"
        "g,庚,server,,,cn-1,,,\n"
        "gone-dup,x,server,,,,,,\n"
        "h,辛,database,,,,99999,,\n"
        "i,壬,server,,,,,nothing,\n"
        "j,癸,server,retired,,,,,\n"
        ",nameless,server,,,,,,\n"
        "k,more,server,,,,,,,,,\n"
        "l,no class,,,,,,,\n"
    )
    found = await send(register, text)
    told = [(one["line"], one["outcome"], one["code"]) for one in found["problems"]]
    assert told == [
        (3, "rejected", "line_invalid"),
        (5, "rejected", "no_such_class"),
        (6, "rejected", "line_invalid"),
        (7, "rejected", "line_invalid"),
        (9, "rejected", "line_twice"),
        (10, "ambiguous", "known_by_another_key"),
        (11, "rejected", "key_was_merged"),
        (12, "rejected", "attributes_do_not_conform"),
        (13, "relation_refused", "no_such_target"),
        (14, "rejected", "retired_is_not_new"),
        (15, "rejected", "line_invalid"),
        (16, "rejected", "line_invalid"),
        (17, "rejected", "line_invalid"),
    ]
    assert counts(found) == {"registered": 2, "ambiguous": 1, "rejected": 11}
    assert [item["key"] for item in (await register.get("/items"))["items"]] == ["a", "i", "known"]
    assert "known" in found["problems"][5]["reason"]
    chinese = await send(register, text, headers={"Accept-Language": "zh-CN"})
    assert [one["line"] for one in chinese["problems"]] == [one["line"] for one in found["problems"]]
    assert all(one["reason"].endswith("。") for one in chinese["problems"])
    assert counts(chinese) == {"unchanged": 2, "ambiguous": 1, "rejected": 11}


async def test_a_known_item_is_changed_where_the_line_says_something(register: Register) -> None:
    made = await register.item("db", "database", owner_team="dba", attributes={"engine": "Oracle"})
    found = await send(register, HEADER + "DB,订单库,database,in_stock,,CN-9,5432,,\n")
    assert counts(found) == {"changed": 1}
    now = await register.get("/items/db")
    assert (now["key"], now["name"], now["owner_team"], now["lifecycle"]) == ("db", "订单库", "dba", "in_stock")
    assert now["attributes"] == {"engine": "Oracle", "port": 5432}
    assert await register.names(made["id"]) == ["Registered", "Described", "Stocked"]
    assert counts(await send(register, HEADER + "db,订单库,database,,web,,,,\n")) == {"changed": 1}
    assert (await register.get("/items/db"))["owner_team"] == "web"
    planned = await send(register, HEADER + "db,订单库,database,planned,,,,,\n")
    assert [one["code"] for one in planned["problems"]] == ["not_planned_again"]
    assert counts(await send(register, HEADER + "db,订单库,database,retired,,,,,\n")) == {"changed": 1}
    assert counts(await send(register, HEADER + "db,订单库,database,retired,,,,,\n")) == {"unchanged": 1}


async def test_lines_may_name_what_comes_later_and_rules_hold_between_them(register: Register) -> None:
    text = HEADER + (
        "vm,vm,virtual_machine,,,,,,host-1;HOST-2\n"
        "host-1,h,server,,,,,vm,\n"
        "host-2,h2,server,,,,,,vm\n"
        "app,app,application,,,,,vm; app ,vm\n"
    )
    found = await send(register, text)
    assert [(one["line"], one["code"]) for one in found["problems"]] == [
        (2, "one_target_only"),
        (4, "classes_do_not_go_together"),
        (5, "not_to_itself"),
    ]
    assert counts(found) == {"registered": 4, "related": 4}
    assert len((await register.get("/items/vm"))["relations"]) == 4


async def test_a_dry_run_says_the_same_and_changes_nothing(register: Register) -> None:
    text = HEADER + "".join(f"srv-{n},s,server,,,,,srv-{n + 1},\n" for n in range(700)) + "bad key,x,server,,,,,,\n"
    before = await register.pool.fetchval("select count(*) from es.event")
    dry = await send(register, text, "?dry_run=true")
    assert dry["dry_run"]
    assert await register.pool.fetchval("select count(*) from es.event") == before
    wet = await send(register, text)
    for name in ("received", "registered", "related", "rejected", "problems"):
        assert dry[name] == wet[name], name
    assert counts(wet) == {"registered": 700, "related": 699, "rejected": 1}


async def test_nobody_waits_for_a_dry_run(register: Register) -> None:
    async with register.running.store.transaction() as trying:
        planner = Planner("csv", (), Caller("x", frozenset(), None), await classes.every(register.pool))
        lines = csv_file.read((HEADER + "a,a,server,,,,,,\n").encode())
        metadata = Metadata(ids.new_id(), "x")
        taking = Taking(planner, ids.new_id(), lambda _: metadata, Report(), lambda _: None, dry_run=True)
        await taking._items(trying, lines, {}, {})
        await register.item("b")
    assert [item["key"] for item in (await register.get("/items"))["items"]] == ["a", "b"]


async def test_a_key_is_taken_once_in_a_file_however_far_apart_its_lines(register: Register) -> None:
    lines = [f"srv-{number},s,server,,,,,,\n" for number in range(600)]
    found = await send(register, HEADER + "srv-0,s,server,,,,99,,\n" + "".join(lines) + "SRV-0,other,server,,,,,,\n")
    assert [(one["line"], one["code"]) for one in found["problems"]] == [
        (2, "attributes_do_not_conform"),
        (603, "line_twice"),
    ]
    assert counts(found) == {"registered": 600, "rejected": 2}


async def test_a_file_is_completed_by_an_event_with_its_counts(register: Register) -> None:
    found = await send(register, HEADER + "a,a,server,,,,,,\nb b,b,server,,,,,,\n")
    (completed,) = await register.events(found["id"])
    assert completed.name == "ConfigurationItemImportCompleted"
    assert {name: completed.data[name] for name in ("source", "received", "registered", "rejected")} == {
        "source": "csv",
        "received": 2,
        "registered": 1,
        "rejected": 1,
    }
    item = await register.get("/items/a")
    (registered,) = await register.events(item["id"])
    assert (registered.data["source"], registered.correlationid) == ("csv", found["id"])


async def test_a_repeat_with_the_same_key_gets_the_first_answer(register: Register) -> None:
    headers = {"Idempotency-Key": "file-1"}
    first = await send(register, HEADER + "a,a,server,,,,,,\n", headers=headers)
    assert await send(register, HEADER + "a,a,server,,,,,,\n", headers=headers) == first


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
async def test_the_encoding_is_named(register: Register, encoding: str) -> None:
    body = (HEADER + "srv,核心服务器,server,,,,,,\n").encode(encoding)
    other = "gb18030" if encoding == "utf-8" else "utf-8"
    if encoding == "gb18030":
        told = await send(register, body, status=422)
        assert told["code"] == "file_unusable"
        assert "gb18030" in told["detail"]
    assert counts(await send(register, body, f"?encoding={encoding}")) == {"registered": 1}
    assert (await register.get("/items/srv"))["name"] == "核心服务器"
    await send(register, body, f"?encoding={other}x", status=422)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "key,name\na,b\n",
        "key,name,class,colour\n",
        "key,name,class,key\n",
        "key,name,class,attribute:\n",
        HEADER + 'a,"b,server\n',
        HEADER + "a\0,b,server\n",
        HEADER + "a," + "x" * 200_000 + ",server\n",
    ],
)
async def test_what_is_no_such_file_is_refused_as_a_whole(register: Register, text: str) -> None:
    told = await send(register, text, status=422)
    assert told["code"] == "file_unusable"


async def test_hostile_cells_are_kept_or_refused_and_never_run(register: Register) -> None:
    text = HEADER + "a,=cmd|' /C calc'!A0,server,,,,,,\nb,'; drop table item; --,server,,,,,,\nc,x,server,,../..,,,,\n"
    found = await send(register, text)
    assert counts(found) == {"registered": 2, "rejected": 1}
    assert (await register.get("/items/b"))["name"] == "'; drop table item; --"


async def test_the_body_is_csv_and_nothing_else(register: Register) -> None:
    told = await send(register, "[]", status=415, headers={"Content-Type": "application/json"})
    assert (told["code"], told["detail"]) == ("unsupported_file_type", "Send the file as text/csv.")


async def test_a_file_of_one_organisation_touches_nobody_elses_items(register: Register) -> None:
    await register.item("theirs", organisation="umbrella", identifiers=[{"kind": "serial", "value": "CN-1"}])
    ours = register.headers(organisations=["acme"])
    found = await send(register, HEADER + "ours,o,server,,,,,theirs,\ntheirs,t,server,,,,,,\n", headers=ours)
    assert counts(found) == {"registered": 1, "rejected": 1}
    assert [one["code"] for one in found["problems"]] == ["no_such_target", "key_taken"]
    assert (await register.get("/items/ours"))["organisation"] == "acme"
