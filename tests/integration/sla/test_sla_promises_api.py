"""The doors of promises: made, moved, passed on, kept, withdrawn, listed; and whatever should not get in."""

import json
from typing import Any

import pytest
from tests.support.promising import Promises
from tests.support.service_levels import BASE, at

from opsledger_events.contexts.incident import IncidentRequesterContacted
from sla.messages import ZH

OFFICE = "00000000-0000-7000-8000-0000000000aa"
CALENDAR: dict[str, Any] = {
    "name": "Office",
    "time_zone": "Asia/Shanghai",
    "weekly": [{"day": day, "opens": "09:00", "closes": "18:00"} for day in range(5)],
}
BODY: dict[str, Any] = {"incident": "INC0000001", "text": "周一上午带备件再来"}
NOBODY = "00000000-0000-7000-8000-000000000001"


async def made(promises: Promises, **given: Any) -> Any:
    return await promises.post("/promises", {**BODY, **given}, status=201)


async def test_r13_r18_a_promise_is_recorded_by_hand_and_answers_whole(promises: Promises) -> None:
    incident = await promises.open()
    answer = await promises.ask(
        "POST", "/promises", {**BODY, "due_at": "2026-11-23T17:00:00+08:00", "reason": "no_part"}
    )
    assert (answer.status_code, answer.headers["etag"]) == (201, '"1"')
    found = answer.json()
    assert answer.headers["location"] == f"{BASE}/promises/{found['id']}"
    expected = {
        "incident": incident,
        "number": "INC0000001",
        "text": BODY["text"],
        "state": "open",
        "reason": "no_part",
    }
    expected |= {"due_at": "2026-11-23T09:00:00Z", "owner": "agent", "promised_by": "agent", "source": "desk"}
    expected |= {"team": "network", "title": "核心交换机端口告警", "remind_at": "2026-11-23T07:00:00Z"}
    assert expected.items() <= found.items()
    assert found["due_by_default"] is False
    assert await promises.timers() == {"reminder": at(6), "break": at(8)}


async def test_r18_a_promise_without_a_date_is_due_after_the_usual_time_and_says_so(promises: Promises) -> None:
    await promises.open()
    found = await made(promises, text="尽快反馈")
    assert (found["due_by_default"], found["due_at"]) == (True, "2026-11-23T03:00:00Z")
    done = await made(promises, text="尽快处理", awaits="completion")
    assert done["due_at"] == "2026-11-23T09:00:00Z"


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        ({"working_hours": 12}, "2026-11-24T04:00:00Z"),
        ({"working_days": 1, "at": "16:00"}, "2026-11-24T08:00:00Z"),
        ({"working_days": 5}, "2026-11-30T10:00:00Z"),
    ],
)
async def test_r18_working_time_is_counted_on_a_calendar(promises: Promises, due: Any, expected: str) -> None:
    await promises.open()
    await promises.levels.put(f"/calendars/{OFFICE}", CALENDAR)
    found = await made(promises, due=due, calendar=OFFICE, incident="incident-1")
    assert found["due_at"] == expected
    (event,) = await promises.events()
    assert (event.data["calendar"], event.data["calendar_revision"]) == (OFFICE, 1)


async def test_r13_the_whole_life_of_a_promise_by_hand(promises: Promises) -> None:
    await promises.open()
    home = f"/promises/{(await made(promises, due={'working_hours': 10}, remind={'seconds_before': 3600}))['id']}"
    moved = await promises.post(f"{home}/move", {"due": {"working_hours": 20}, "explanation": "客户下午才在"}, hours=5)
    assert (moved["due_at"], moved["previous_due_at"]) == ("2026-11-24T02:00:00Z", ["2026-11-23T11:00:00Z"])
    passed = await promises.post(f"{home}/pass-on", {"owner": "person-4"}, hours=6)
    assert passed["owner"] == "person-4"
    assert (await promises.post(f"{home}/pass-on", {"owner": None}))["owner"] is None
    await promises.fire_until(30)
    shown = await promises.get(home, hours=30)
    assert (shown["state"], shown["broken_at"]) == ("broken", "2026-11-24T02:00:00Z")
    assert shown["explanation"]["zh"] == (
        "agent 于 2026-11-23 01:00 +00:00 承诺：“周一上午带备件再来”，由处理组负责，"
        "应在 2026-11-24 02:00 +00:00 前兑现；"
        "原定 2026-11-23 11:00 +00:00，后与用户改期；2026-11-23 21:00 +00:00 已提醒；到期未兑现，已失约。"
    )
    assert shown["explanation"]["en"].endswith("it passed unkept: broken.")
    refused = await promises.post(f"{home}/move", {"due": {"working_hours": 1}, "explanation": "x"}, status=409)
    assert refused["code"] == "promise_broken"
    kept = await promises.post(f"{home}/keep", hours=32)
    assert (kept["state"], kept["broken"], kept["late_seconds"]) == ("kept", True, 7 * 3600)
    assert (await promises.get(home))["explanation"]["zh"].endswith(
        "已失约；2026-11-24 09:00 +00:00 补上，迟了 7 小时。"
    )
    assert await promises.post(f"{home}/keep", hours=33) == {**kept, "as_of": "2026-11-24T10:00:00Z"}
    refused = await promises.post(f"{home}/withdraw", {"explanation": "x"}, status=409)
    assert refused["code"] == "promise_settled"


async def test_r18_kept_in_time_but_told_late_by_hand(promises: Promises) -> None:
    await promises.open()
    home = f"/promises/{(await made(promises))['id']}"
    await promises.fire_until(3)
    kept = await promises.post(f"{home}/keep", {"occurred_at": "2026-11-23T02:30:00Z"}, hours=4)
    assert (kept["state"], kept["broken"], kept["late_seconds"]) == ("kept", False, 0)
    assert (await promises.names())[-2:] == ["BreachWithdrawn@1.5", "Kept@1.5"]


@pytest.mark.parametrize(
    ("moment", "code"), [("2026-11-23T09:00:00Z", "in_the_future"), ("2026-11-23T00:00:00Z", "before_promise")]
)
async def test_keeping_happened_after_the_promise_and_before_now(promises: Promises, moment: str, code: str) -> None:
    await promises.open()
    home = f"/promises/{(await made(promises))['id']}"
    assert (await promises.post(f"{home}/keep", {"occurred_at": moment}, status=422))["code"] == code


async def test_promises_are_listed_by_due_instant_and_filtered(promises: Promises) -> None:
    await promises.open()
    await promises.open("incident-2", "INC0000002", organisation="other")
    for n, owner in enumerate(("a", "b", "a", "c", "a")):
        await made(promises, text=f"p{n}", owner=owner, due={"working_hours": 5 - n})
    other = await made(promises, incident="INC0000002", owner=None, due_at="2026-11-23T03:15:00Z")
    items = (await promises.get("/promises"))["items"]
    assert [one["text"] for one in items] == ["p4", "p3", BODY["text"], "p2", "p1", "p0"]
    page = await promises.get("/promises?owner=a&limit=2")
    assert [one["text"] for one in page["items"]] == ["p4", "p2"]
    rest = await promises.get(f"/promises?owner=a&limit=2&cursor={page['next']}")
    assert ([one["text"] for one in rest["items"]], rest["next"]) == (["p0"], None)
    assert len((await promises.get("/promises?incident=INC0000002&team=network"))["items"]) == 1
    assert len((await promises.get("/promises?due_before=2026-11-23T03:00:01Z"))["items"]) == 2
    broken = (await promises.get("/promises?state=broken", hours=2.5))["items"]
    assert {one["text"] for one in broken} == {"p4", "p3", BODY["text"]}
    assert len((await promises.get("/promises?state=open"))["items"]) == 3
    token = {"organisations": ["acme"]}
    assert len((await promises.get("/promises", token=token))["items"]) == 5
    await promises.get(f"/promises/{other['id']}", token=token, status=404)
    await promises.post(f"/promises/{other['id']}/keep", token=token, status=404)
    await promises.post("/promises", {**BODY, "incident": "INC0000002"}, token=token, status=404)


async def test_a_repeated_key_gets_the_first_answer_and_a_stale_version_is_told(promises: Promises) -> None:
    await promises.open()
    key = {"Idempotency-Key": "again"}
    first = await promises.post("/promises", BODY, status=201, headers=key)
    assert await promises.post("/promises", BODY, status=201, headers=key) == first
    await promises.post("/promises", {**BODY, "text": "x"}, status=422, headers=key)
    assert len(await promises.events()) == 1
    home = f"/promises/{first['id']}"
    await promises.post(f"{home}/keep", status=412, headers={"If-Match": '"7"'})
    assert (await promises.post(f"{home}/keep", headers={"If-Match": '"1"'}))["state"] == "kept"


async def test_a_version_seen_before_the_breach_was_announced_is_still_the_last_one(promises: Promises) -> None:
    await promises.open()
    home = f"/promises/{(await made(promises))['id']}"
    kept = await promises.post(f"{home}/keep", hours=9, headers={"If-Match": '"1"'})
    assert (kept["state"], kept["broken"]) == ("kept", True)
    assert await promises.names() == ["Made@0", "Broken@2", "Kept@9"]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"due_at": "2026-11-23T00:59:00Z"}, "promise_due_passed"),
        ({"due_at": "2099-11-23T00:59:00Z"}, "promise_too_far"),
        ({"due_at": "2026-11-24T00:59:00Z", "due": {"working_hours": 1}}, "promise_due_twice"),
        ({"due": {}}, "promise_due_twice"),
        ({"due": {"working_hours": 1, "working_days": 1}}, "promise_due_twice"),
        ({"due": {"working_hours": 1, "at": "16:00"}}, "promise_due_twice"),
        ({"due": {"working_days": 1, "at": "99:99"}}, "bad_time"),
        ({"calendar": NOBODY}, "no_such_calendar"),
        ({"remind": {"seconds_before": 7200}, "due_at": "2026-11-23T02:00:00Z"}, "promise_reminder_out_of_place"),
        ({"remind": {"seconds_before": 1, "percent": 5}}, "promise_remind_twice"),
        ({"incident": "INC9999999"}, "promise_no_incident"),
    ],
)
async def test_what_cannot_be_promised_is_refused_in_both_languages(promises: Promises, wrong: Any, code: str) -> None:
    await promises.open()
    answer = await promises.ask("POST", "/promises", {**BODY, **wrong})
    assert (answer.status_code in (404, 422), answer.json()["code"]) == (True, code), answer.text
    chinese = await promises.ask("POST", "/promises", {**BODY, **wrong}, headers={"Accept-Language": "zh-CN"})
    assert chinese.json()["detail"].startswith(ZH[code]), chinese.text
    assert await promises.events() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": ""},
        {"text": " \u200b"},
        {"text": "x" * 2001},
        {"text": None},
        {"text": ["x"]},
        {"due_at": 1795000000},
        {"due_at": "2026-11-23 17:00"},
        {"due_at": "2026-11-23T17:00:00"},
        {"due_at": "0001-01-01T00:00:00Z"},
        {"due_at": "9999-12-31T23:59:59-12:00"},
        {"due": {"working_hours": 0}},
        {"due": {"working_hours": 1e9}},
        {"due": {"working_hours": "2"}},
        {"due": {"working_days": -1}},
        {"due": {"working_days": 1, "at": "9" * 50}},
        {"calendar": "' or 1=1 --"},
        {"owner": "no body"},
        {"owner": "x" * 65},
        {"awaits": "nothing"},
        {"reason": "No Reason"},
        {"remind": {"percent": 100}},
        {"remind": {"percent": 0}},
        {"incident": ""},
        {"incident": "x" * 201},
        {"promised_by": "somebody"},
        {"source": "hold"},
    ],
)
async def test_a_wrong_body_is_refused(promises: Promises, wrong: dict[str, Any]) -> None:
    await promises.open()
    answer = await promises.ask("POST", "/promises", {**BODY, **wrong})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"], answer.text


async def test_hostile_words_are_kept_as_they_are(promises: Promises) -> None:
    await promises.open()
    text = "'; drop table promise; -- <script>“\u202e🖧\n第二行"
    found = await made(promises, text=text)
    assert found["text"] == text
    assert json.dumps(text, ensure_ascii=False)[1:8] in json.dumps(
        (await promises.only())["explanation"], ensure_ascii=False
    )


@pytest.mark.parametrize("role", ["requester", "analyst", "auditor", "operator", "integration"])
async def test_only_the_desk_promises_and_staff_read(promises: Promises, role: str) -> None:
    await promises.open()
    found = await made(promises)
    await promises.post("/promises", BODY, status=403, role=role)
    for act, body in (("keep", None), ("withdraw", {"explanation": "x"}), ("pass-on", {"owner": None})):
        await promises.post(f"/promises/{found['id']}/{act}", body, status=403, role=role)
    await promises.get("/promises", status=403 if role == "requester" else 200, role=role)


async def test_a_promise_that_is_not_there(promises: Promises) -> None:
    await promises.open()
    await promises.get(f"/promises/{NOBODY}", status=404)
    await promises.post(f"/promises/{NOBODY}/keep", status=404)
    await promises.get("/promises/x", status=404)
    await promises.get("/promises?cursor=x", status=422)
    await promises.get("/promises?due_before=tomorrow", status=422)
    await promises.get("/promises?state=late", status=422)


async def test_r18_a_promise_by_hand_to_reply_is_kept_by_the_next_contact(promises: Promises) -> None:
    await promises.open()
    await made(promises, awaits="reply")
    await made(promises, text="other")
    await promises.tell(IncidentRequesterContacted(channel="phone"), 1)
    assert [one["state"] for one in (await promises.get("/promises", hours=1.5))["items"]].count("kept") == 1
