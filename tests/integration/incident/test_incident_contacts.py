"""Contacts (R2), promised dates (R13) and workarounds through HTTP: who says them, who reads them, what is refused."""

from typing import Any

import pytest
from tests.support.incident_desk import BASE, Desk

from incident.projections.incident_queue import INCIDENT_QUEUE
from opsledger_runtime.projections import digest
from opsledger_runtime.rebuild import rebuilt_digest

TOMORROW = "2026-11-23T09:00:00+08:00"
WANG = {"subject": "wang-fang"}


async def assigned(desk: Desk, **given: Any) -> str:
    incident = f"/incidents/{await desk.open(**given)}"
    await desk.post(f"{incident}/assign", {"team": "network"})
    return incident


async def started(desk: Desk, **given: Any) -> str:
    incident = await assigned(desk, **given)
    await desk.post(f"{incident}/start")
    return incident


async def test_r2_the_technician_says_that_the_requester_was_contacted_and_a_visit_booked(desk: Desk) -> None:
    incident = await assigned(desk)
    at = desk.pass_time(minutes=12)
    told = {"channel": "phone", "note": "客户很着急", "booked_at": TOMORROW}
    answer = await desk.post(f"{incident}/contact", told)
    assert (answer["state"], answer["version"]) == ("assigned", 3)
    event = (await desk.events(answer["id"]))[-1]
    assert (event.type_name, event.time) == ("incident.IncidentRequesterContacted.v1", at)
    assert event.data == {**told, "booked_at": "2026-11-23T01:00:00Z"}
    assert (await desk.get(incident))["contacts"] == [
        {
            "channel": "phone",
            "note": "客户很着急",
            "booked_at": "2026-11-23T01:00:00.000000Z",
            "actor": "agent",
            "time": "2026-11-22T08:42:00.000000Z",
        }
    ]


async def test_r2_contacts_are_told_in_order_as_of_any_instant(desk: Desk) -> None:
    incident = await assigned(desk)
    for channel in ("phone", "email", "phone"):
        desk.pass_time(minutes=1)
        await desk.post(f"{incident}/contact", {"channel": channel})

    async def channels(query: str = "") -> list[str]:
        return [found["channel"] for found in (await desk.get(incident + query))["contacts"]]

    assert await channels() == ["phone", "email", "phone"]
    assert await channels("?as_of=2026-11-22T08:32:00Z") == ["phone", "email"]


async def test_r2_a_contact_needs_somebody_who_is_responsible_and_something_to_restore(desk: Desk) -> None:
    incident = f"/incidents/{await desk.open()}"
    body = {"channel": "phone"}
    refused = await desk.post(f"{incident}/contact", body, status=409)
    assert (refused["code"], "Assign it to a team" in refused["detail"]) == ("contact_needs_a_team", True)
    resolved = f"/incidents/{await desk.resolved()}"
    assert (await desk.post(f"{resolved}/contact", body, status=409))["code"] == "resolved_is_reopened_first"
    await desk.post(f"{resolved}/close")
    assert (await desk.post(f"{resolved}/contact", body, status=409))["code"] == "closed_is_final"
    assert (await desk.post("/incidents/none/contact", body, status=404))["code"] == "not_found"


async def test_r2_a_repeated_request_is_one_contact_and_another_request_another(desk: Desk) -> None:
    incident = await assigned(desk)
    for _ in range(3):
        await desk.post(f"{incident}/contact", {"channel": "phone"}, headers={"Idempotency-Key": "call-17"})
    await desk.post(f"{incident}/contact", {"channel": "phone"})
    assert len((await desk.get(incident))["contacts"]) == 2


@pytest.mark.parametrize(
    ("occurred_at", "instant", "status"),
    [
        (None, "2026-11-22T08:30:00Z", 422),
        (None, "2026-11-22T16:29:59+08:00", 422),
        (None, "1970-01-01T00:00:00Z", 422),
        (None, "2026-11-22T08:30:00.000001Z", 200),
        (None, "9998-12-31T23:59:59Z", 200),
        ("2026-11-22T08:30:00Z", "2026-11-22T08:29:00Z", 422),
        ("2026-11-22T08:34:00Z", "2026-11-22T08:33:00Z", 200),
    ],
)
@pytest.mark.parametrize("action", ["contact", "hold"])
async def test_what_is_booked_or_promised_is_later_than_the_command(
    desk: Desk, action: str, occurred_at: str | None, instant: str, status: int
) -> None:
    incident = await started(desk)
    name, body = _body(action, instant)
    if occurred_at is not None:
        body["occurred_at"] = occurred_at
    answer = await desk.post(f"{incident}/{action}", body, status=status)
    if status == 422:
        assert answer["code"] == f"{name}_is_past"
        [error] = answer["errors"]
        assert (error["pointer"], error["detail"]) == (f"/{name}", "Give an instant after 2026-11-22T08:30:00+00:00.")


async def test_what_is_told_late_is_judged_by_when_it_happened(desk: Desk) -> None:
    incident = await started(desk)
    happened, promised = "2026-11-22T09:00:00Z", "2026-11-22T10:00:00Z"
    desk.pass_time(hours=3)
    contact = {"channel": "phone", "booked_at": promised, "occurred_at": happened}
    await desk.post(f"{incident}/contact", contact)
    hold = {"reason": "awaiting_vendor", "promised_at": promised, "occurred_at": happened}
    assert (await desk.post(f"{incident}/hold", hold))["promised_at"] == "2026-11-22T10:00:00.000000Z"


async def test_refusals_speak_the_callers_language(desk: Desk) -> None:
    incident = await started(desk)
    asked: list[tuple[str, Any, int, str, str]] = [
        ("hold", {"reason": "other", "promised": "明天再来"}, 409, "promised_at", "承诺须写明时间"),
        ("hold", _body("hold", "2026-11-22T08:00:00Z")[1], 422, "must be for later", "承诺时间必须晚于"),
        ("contact", _body("contact", "2026-11-22T08:00:00Z")[1], 422, "must be for later", "预约时间必须晚于"),
    ]
    for action, body, status, english, chinese in asked:
        told = {}
        for language in ("en", "zh-CN"):
            headers = {"Accept-Language": language}
            told[language] = (await desk.post(f"{incident}/{action}", body, status=status, headers=headers))["detail"]
        assert english in told["en"]
        assert chinese in told["zh-CN"]


def _body(action: str, instant: Any) -> tuple[str, dict[str, Any]]:
    if action == "contact":
        return "booked_at", {"channel": "phone", "booked_at": instant}
    return "promised_at", {"reason": "other", "promised_at": instant}


@pytest.mark.parametrize(
    "instant", ["2026-11-23T09:00:00", "2026-11-23", "明天", 1_800_000_000, "9999-01-01T00:00:00Z", []]
)
@pytest.mark.parametrize("action", ["contact", "hold"])
async def test_instants_that_cannot_be_are_refused(desk: Desk, action: str, instant: Any) -> None:
    incident = await started(desk)
    name, body = _body(action, instant)
    refused = await desk.post(f"{incident}/{action}", body, status=422)
    assert refused["errors"][0]["pointer"] == f"/{name}"


async def test_r13_who_cannot_finish_today_gives_a_reason_and_a_promised_date(desk: Desk) -> None:
    incident = await started(desk, requester="wang-fang")
    body = {"reason": "awaiting_vendor", "note": "备件缺货", "promised_at": TOMORROW, "promised": "我明天再来"}
    held = await desk.post(f"{incident}/hold", body)
    assert (held["promised_at"], held["promised"]) == ("2026-11-23T01:00:00.000000Z", "我明天再来")
    event = (await desk.events(held["id"]))[-1]
    assert event.data == {**body, "promised_at": "2026-11-23T01:00:00Z"}
    [listed] = (await desk.get("/incidents"))["items"]
    assert (listed["promised_at"], listed["promised"]) == (held["promised_at"], held["promised"])
    assert (await desk.post(f"{incident}/hold", body))["version"] == held["version"]
    later = {**body, "promised_at": "2026-11-24T01:00:00Z"}
    refused = await desk.post(f"{incident}/hold", later, status=409)
    assert refused["code"] == "held_for_one_reason_at_a_time"
    desk.pass_time(days=1)
    resumed = await desk.post(f"{incident}/resume")
    assert (resumed["promised_at"], resumed["promised"]) == (None, None)
    then = await desk.get(f"{incident}?as_of=2026-11-22T12:00:00Z")
    assert (then["promised_at"], then["promised"]) == (held["promised_at"], "我明天再来")


async def test_r13_a_promise_without_its_date_is_refused_with_what_to_give(desk: Desk) -> None:
    incident = await started(desk)
    refused = await desk.post(f"{incident}/hold", {"reason": "other", "promised": "我明天再来"}, status=409)
    assert (refused["code"], "Give `promised_at`" in refused["detail"]) == ("R13", True)
    assert (await desk.post(f"{incident}/hold", {"reason": "other"}))["state"] == "on_hold"


async def test_a_workaround_is_provided_until_it_is_resolved_and_once(desk: Desk) -> None:
    incident = f"/incidents/{await desk.open()}"
    for text, version in (("先用二号链路 ", 2), ("先用二号链路 ", 2), ("先用三号链路", 3), ("先用二号链路 ", 4)):
        answer = await desk.post(f"{incident}/workaround", {"workaround": text})
        assert (answer["workaround"], answer["version"], answer["state"]) == (text, version, "new")
    await desk.post(f"{incident}/resolve", {"responsibility": "provider", "resolution": "更换光模块"})
    refused = await desk.post(f"{incident}/workaround", {"workaround": "x"}, status=409)
    assert refused["code"] == "resolved_is_reopened_first"
    assert (await desk.get(incident))["workaround"] == "先用二号链路 "


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("contact", None),
        ("contact", {}),
        ("contact", []),
        ("contact", {"channel": "pigeon"}),
        ("contact", {"channel": None}),
        ("contact", {"channel": "phone", "note": ""}),
        ("contact", {"channel": "phone", "note": " \u200b\u3000"}),
        ("contact", {"channel": "phone", "note": "x" * 20_001}),
        ("contact", {"channel": "phone", "note": "nul \0"}),
        ("contact", {"channel": "phone", "at": TOMORROW}),
        ("hold", {"reason": "other", "promised_at": TOMORROW, "promised": ""}),
        ("hold", {"reason": "other", "promised_at": TOMORROW, "promised": "\t"}),
        ("hold", {"reason": "other", "promised_at": TOMORROW, "promised": ["x"]}),
        ("hold", {"reason": "other", "promised_at": TOMORROW, "promised": "x" * 20_001}),
        ("workaround", None),
        ("workaround", {}),
        ("workaround", {"workaround": ""}),
        ("workaround", {"workaround": " \n\u3000\u200b"}),
        ("workaround", {"workaround": "x" * 20_001}),
        ("workaround", {"workaround": 5}),
        ("workaround", {"workaround": "x", "public": True}),
    ],
)
async def test_wrong_bodies_are_refused_and_write_nothing(desk: Desk, action: str, body: Any) -> None:
    incident = await started(desk)
    await desk.post(f"{incident}/{action}", body, status=422)
    assert (await desk.get(incident))["version"] == 3


@pytest.mark.parametrize("text", ["'; drop table incident_queue; --", "🔧 <b>x</b>", "line\r\nbreak", "漢" * 20_000])
async def test_text_survives_unchanged(desk: Desk, text: str) -> None:
    incident = await started(desk)
    await desk.post(f"{incident}/contact", {"channel": "chat", "note": text})
    await desk.post(f"{incident}/workaround", {"workaround": text})
    await desk.post(f"{incident}/hold", {"reason": "other", "promised_at": TOMORROW, "promised": text})
    shown = await desk.get(incident)
    assert (shown["contacts"][0]["note"], shown["workaround"], shown["promised"]) == (text, text, text)


async def test_a_requester_reads_what_was_said_to_them_and_not_what_was_written_about_them(desk: Desk) -> None:
    incident = await started(desk, requester="wang-fang")
    await desk.post(f"{incident}/contact", {"channel": "phone", "note": "又是他", "booked_at": TOMORROW})
    await desk.post(f"{incident}/workaround", {"workaround": "先用二号链路"})
    hold = {"reason": "other", "note": "客户没付款", "promised_at": TOMORROW, "promised": "我明天再来"}
    await desk.post(f"{incident}/hold", hold)
    for headers in (desk.headers("requester", **WANG), desk.headers("integration")):
        for query in ("", "?known_at=2026-11-22T09:00:00Z"):
            shown = await desk.get(incident + query, headers=headers)
            [contact] = shown["contacts"]
            assert (contact["channel"], contact["note"]) == ("phone", None)
            assert contact["booked_at"] == shown["promised_at"] == "2026-11-23T01:00:00.000000Z"
            assert (shown["promised"], shown["workaround"], shown["hold_note"]) == ("我明天再来", "先用二号链路", None)
        [listed] = (await desk.get("/incidents", headers=headers))["items"]
        assert (listed["promised"], listed["workaround"]) == ("我明天再来", "先用二号链路")
    await desk.get(f"{incident}/events", headers=desk.headers("requester", **WANG), status=403)
    assert (await desk.get(incident, headers=desk.headers("auditor")))["contacts"][0]["note"] == "又是他"


async def test_the_desk_alone_contacts_and_provides(desk: Desk) -> None:
    incident = await started(desk, organisation="acme")
    contact, workaround = {"channel": "phone"}, {"workaround": "先用二号链路"}
    for role in ("requester", "analyst", "auditor", "operator", "integration", "intake"):
        headers = desk.headers(role)
        await desk.post(f"{incident}/contact", contact, headers=headers, status=403)
        await desk.post(f"{incident}/workaround", workaround, headers=headers, status=403)
    globex = desk.headers(organisations=["globex"])
    await desk.post(f"{incident}/contact", contact, headers=globex, status=404)
    for role in ("agent", "lead", "administrator"):
        await desk.post(f"{incident}/contact", contact, headers=desk.headers(role))
        await desk.post(f"{incident}/workaround", {"workaround": role}, headers=desk.headers(role))


async def test_if_match_guards_contacts_too(desk: Desk) -> None:
    incident = await assigned(desk)
    stale = {"If-Match": '"1"'}
    for action, body in (("contact", {"channel": "phone"}), ("workaround", {"workaround": "x"})):
        answer = await desk.http.post(f"{BASE}{incident}/{action}", json=body, headers=stale)
        assert (answer.status_code, answer.json()["code"]) == (412, "version_conflict")


async def test_the_queue_is_what_the_events_say(desk: Desk, shared_database: str) -> None:
    incident = await started(desk)
    await desk.post(f"{incident}/contact", {"channel": "phone", "booked_at": TOMORROW})
    await desk.post(f"{incident}/workaround", {"workaround": "先用二号链路"})
    await desk.post(f"{incident}/hold", {"reason": "other", "promised_at": TOMORROW, "promised": "我明天再来"})
    told = await desk.events((await desk.get(incident))["id"])

    async def one_by_one() -> Any:
        for envelope in told:
            yield [envelope]

    async with desk.pool.acquire() as connection:
        live = await digest(connection, INCIDENT_QUEUE, "incident")
        assert live == await rebuilt_digest(connection, INCIDENT_QUEUE, "incident", one_by_one())
