"""Lists, the past, and the read model that can be built again."""

from typing import Any
from urllib.parse import quote

import pytest
from tests.support.incident_desk import Desk, alert

from incident.projections.incident_queue import INCIDENT_QUEUE
from opsledger_events import Envelope
from opsledger_runtime.projections import digest


async def numbers(desk: Desk, query: str = "") -> list[str]:
    return [item["number"] for item in (await desk.get(f"/incidents{query}"))["items"]]


async def test_filters_narrow_the_list(desk: Desk) -> None:
    await desk.open("打印机卡纸", service="print", organisation="acme", impact=1, urgency=1)
    second = await desk.open("Ｌｏｇｉｎ fails", service="erp", organisation="globex", configuration_item="srv-1")
    await desk.post(f"/incidents/{second}/assign", {"team": "erp", "assignee": "person-3"})
    assert await numbers(desk) == ["INC0000002", "INC0000001"]
    for query in (
        "state=assigned",
        "priority=3",
        "team=erp",
        "assignee=person-3",
        "organisation=globex",
        "service=erp",
    ):
        assert await numbers(desk, f"?{query}") == ["INC0000002"], query
    assert await numbers(desk, "?state=new&state=assigned&priority=1&priority=2") == ["INC0000001"]
    assert await numbers(desk, "?number=INC0000001") == ["INC0000001"]
    assert await numbers(desk, "?configuration_item=srv-1") == ["INC0000002"]
    for q in ("卡纸", "打印机卡纸", "机"):
        assert await numbers(desk, f"?q={quote(q)}") == ["INC0000001"]
    for q in ("login", "LOGIN FAILS", "ｌｏｇ"):
        assert await numbers(desk, f"?q={quote(q)}") == ["INC0000002"]
    for q in ("%", "_", "\\", "'", "打印机 "):
        assert await numbers(desk, f"?q={quote(q)}") == []


@pytest.mark.parametrize(
    "query",
    [
        "state=open",
        "priority=6",
        "priority=x",
        "sort=title",
        "limit=0",
        "limit=1000",
        "cursor=garbage",
        "cursor=WzFd",
        "team=",
        f"q={'x' * 300}",
    ],
)
async def test_filters_that_mean_nothing_are_refused(desk: Desk, query: str) -> None:
    assert (await desk.get(f"/incidents?{query}", status=422))["code"] in ("invalid", "bad_cursor")


@pytest.mark.parametrize("sort", ["-opened", "opened", "priority"])
async def test_pages_show_every_incident_once_in_order(desk: Desk, sort: str) -> None:
    for index in range(7):
        await desk.open(f"number {index}", impact=index % 3 + 1, urgency=1)
        if index % 2:
            desk.pass_time(seconds=1)
    whole = (await desk.get(f"/incidents?sort={sort}"))["items"]
    seen: list[Any] = []
    cursor = ""
    for _ in range(4):
        page = await desk.get(f"/incidents?sort={sort}&limit=2{cursor}")
        seen += page["items"]
        cursor = f"&cursor={page['next']}"
    assert page["next"] is None
    assert seen == whole
    assert len({item["id"] for item in seen}) == 7
    keys = [(item["priority"] if sort == "priority" else 0, item["opened_at"], item["number"]) for item in seen]
    assert keys == sorted(keys, reverse=sort == "-opened")


async def test_a_cursor_fits_only_its_own_order(desk: Desk) -> None:
    for _ in range(2):
        await desk.open()
    cursor = (await desk.get("/incidents?limit=1&sort=opened"))["next"]
    assert (await desk.get(f"/incidents?cursor={cursor}", status=422))["code"] == "bad_cursor"


async def test_an_incident_opened_between_two_pages_moves_nothing(desk: Desk) -> None:
    for _ in range(3):
        await desk.open()
        desk.pass_time(seconds=1)
    first = await desk.get("/incidents?limit=2")
    await desk.open()
    second = await desk.get(f"/incidents?limit=2&cursor={first['next']}")
    assert [item["number"] for item in first["items"] + second["items"]] == ["INC0000003", "INC0000002", "INC0000001"]


async def test_as_of_asks_what_was_true_and_known_at_what_was_known(desk: Desk) -> None:
    incident = await desk.open()  # true and known at 08:30
    desk.pass_time(hours=2)
    late = {"impact": 1, "urgency": 1, "occurred_at": "2026-11-22T09:00:00Z"}
    await desk.post(f"/incidents/{incident}/prioritise", late)  # true at 09:00, known at 10:30
    path = f"/incidents/{incident}"

    async def priority(query: str) -> int:
        return int((await desk.get(f"{path}?{query}"))["priority"])

    assert await priority("as_of=2026-11-22T08:59:59Z") == 3
    assert await priority("as_of=2026-11-22T09:00:00Z") == 1
    assert await priority("known_at=2026-11-22T10:00:00Z") == 3
    assert await priority("known_at=2026-11-22T10:30:00Z") == 1
    assert await priority("as_of=2026-11-22T09:30:00Z&known_at=2026-11-22T09:30:00Z") == 3
    assert await priority("as_of=2026-11-22T17:00:00%2B08:00") == 1
    assert await priority("as_of=2026-11-22T17:00:00+08:00") == 1, "a plus that was not encoded"
    for query in ("as_of=2026-11-22T08:29:59Z", "known_at=2026-11-22T08:29:59Z"):
        assert (await desk.get(f"{path}?{query}", status=404))["code"] == "not_found"
    for query in ("as_of=2026-11-22T09:00:00", "known_at=now", "as_of=", "as_of=1700000000"):
        await desk.get(f"{path}?{query}", status=422)


async def test_the_past_has_its_own_version_and_no_etag(desk: Desk) -> None:
    incident = await desk.open()
    desk.pass_time(minutes=1)
    await desk.post(f"/incidents/{incident}/note", {"text": "later"})
    answer = await desk.http.get(f"/api/incident/v1/incidents/{incident}?as_of=2026-11-22T08:30:30Z")
    assert (answer.json()["version"], answer.json()["notes"]) == (1, [])
    assert "etag" not in answer.headers
    assert (await desk.http.get(f"/api/incident/v1/incidents/{incident}")).headers["etag"] == '"2"'


async def test_the_events_of_an_incident_are_cloudevents_in_pages(desk: Desk) -> None:
    incident = await desk.resolved()
    whole = await desk.get(f"/incidents/{incident}/events")
    assert [event["aggregateversion"] for event in whole["items"]] == [1, 2, 3, 4]
    assert [event["type"].split(".")[2] for event in whole["items"]][-1] == "IncidentResolved"
    assert {event["specversion"] for event in whole["items"]} == {"1.0"}
    stored = await desk.events(incident)
    assert whole["items"] == [envelope.attributes() for envelope in stored]
    first = await desk.get(f"/incidents/{incident}/events?limit=3")
    second = await desk.get(f"/incidents/{incident}/events?limit=3&cursor={first['next']}")
    assert first["items"] + second["items"] == whole["items"]
    assert second["next"] is None
    for cursor in ("garbage", "Wy0xXQ", "WzEuNV0", "Wzk5OTk5OTk5OTk5OTld"):
        await desk.get(f"/incidents/{incident}/events?cursor={cursor}", status=422)


async def _story(desk: Desk) -> None:
    await desk.resolved(organisation="acme")
    incident = await desk.resolved(title="𠀀 {\"a\": \\ 'b'}")
    await desk.post(f"/incidents/{incident}/reopen", {"reason": "again"})
    await desk.post(f"/incidents/{incident}/hold", {"reason": "other", "note": "等待"})
    cancelled = await desk.open()
    desk.pass_time(seconds=1.5)
    await desk.post(f"/incidents/{cancelled}/cancel", {"reason": "twice"})
    closed = await desk.resolved(occurred_at="2026-11-21T00:00:00.000001Z")
    await desk.post(f"/incidents/{closed}/close")
    await desk.webhook(alert("f1", labels={"team": "network"}), alert("f2"))
    desk.pass_time(minutes=1)
    await desk.webhook(alert("f1", "resolved"))


@pytest.mark.parametrize("batch", [1, 3, 1000])
async def test_a_rebuilt_queue_equals_the_live_one(desk: Desk, batch: int) -> None:
    await _story(desk)
    async with desk.pool.acquire() as connection:
        rows = await connection.fetch("select body from es.event order by recordedtime, aggregate, version")
        envelopes = [Envelope.from_json(row["body"]) for row in rows]
        live = await digest(connection, INCIDENT_QUEUE, "incident")
        await connection.execute("create schema scratch")
        await connection.execute("create table scratch.incident_queue (like incident.incident_queue including all)")
        await connection.execute("set search_path = scratch, es")
        for start in range(0, len(envelopes), batch):
            await INCIDENT_QUEUE.apply(connection, envelopes[start : start + batch])
        assert await connection.fetchval("select count(*) from scratch.incident_queue") == 6
        assert await digest(connection, INCIDENT_QUEUE, "scratch") == live
        await connection.execute("reset search_path")


async def test_the_read_model_says_what_the_events_say(desk: Desk) -> None:
    await _story(desk)
    for listed in (await desk.get("/incidents"))["items"]:
        detail = await desk.get(f"/incidents/{listed['id']}")
        assert {name: detail[name] for name in listed} == listed


@pytest.mark.parametrize("path", ["/incidents", "/incidents/INC0000001", "/incidents/INC0000001/events"])
async def test_nothing_is_shown_without_a_token(desk: Desk, path: str) -> None:
    await desk.get(path, status=401, headers={"Authorization": "Bearer x"})
