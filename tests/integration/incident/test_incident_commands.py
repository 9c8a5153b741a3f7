"""The life cycle through HTTP: what is answered, what is refused, what is kept."""

import asyncio
from typing import Any

import pytest
from tests.support.incident_desk import BASE, START, Desk

REPORT = {"title": "核心交换机端口告警", "impact": 1, "urgency": 2}


async def test_an_opened_incident_has_a_number_a_priority_and_a_place(desk: Desk) -> None:
    body = {**REPORT, "description": "Port 12", "service": "core-network", "channel": "phone", "organisation": "acme"}
    answer = await desk.http.post(f"{BASE}/incidents", json=body)
    assert answer.status_code == 201
    opened = answer.json()
    assert opened["number"] == "INC0000001"
    assert (opened["state"], opened["priority"], opened["version"]) == ("new", 2, 1)
    assert opened["opened_at"] == "2026-11-22T08:30:00.000000Z"
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["location"] == f"{BASE}/incidents/{opened['id']}"
    shown = await desk.get(f"/incidents/{opened['id']}")
    nothing = {"alert_received_count": None, "affected": None, "children": None}
    assert shown == {**opened, "description": "Port 12", "notes": [], "contacts": [], "path": [], **nothing}
    assert (await desk.get("/incidents/INC0000001"))["id"] == opened["id"]


async def test_the_whole_life_of_an_incident(desk: Desk) -> None:
    incident = f"/incidents/{await desk.open()}"
    steps: list[tuple[str, Any, str]] = [
        ("assign", {"team": "network", "assignee": "person-3"}, "assigned"),
        ("start", None, "in_progress"),
        ("hold", {"reason": "awaiting_vendor", "note": "等待备件"}, "on_hold"),
        ("resume", {}, "in_progress"),
        ("prioritise", {"impact": 1, "urgency": 1}, "in_progress"),
        ("note", {"text": "  已更换\n🔧 ", "public": True}, "in_progress"),
        ("resolve", {"responsibility": "third_party", "resolution": "更换光模块"}, "resolved"),
        ("reopen", {"reason": "又断了"}, "in_progress"),
        ("resolve", {"responsibility": "provider", "resolution": "更换整机"}, "resolved"),
        ("close", None, "closed"),
    ]
    for version, (action, body, state) in enumerate(steps, start=2):
        desk.pass_time(minutes=5)
        answer = await desk.post(f"{incident}/{action}", body)
        assert (answer["state"], answer["version"]) == (state, version)
    shown = await desk.get(incident)
    assert (shown["responsibility"], shown["resolution"], shown["priority"]) == ("provider", "更换整机", 1)
    assert shown["notes"] == [
        {"text": "  已更换\n🔧 ", "public": True, "actor": "agent", "time": "2026-11-22T09:00:00.000000Z"}
    ]
    assert shown["started_at"] == "2026-11-22T08:40:00.000000Z"
    assert shown["closed_at"] == shown["changed_at"] == "2026-11-22T09:20:00.000000Z"


async def test_r16_resolving_needs_a_responsibility_code(desk: Desk) -> None:
    incident = await desk.open()
    refused = await desk.post(f"/incidents/{incident}/resolve", {"resolution": "fixed"}, status=409)
    assert refused["code"] == "R16"
    assert "provider, third_party or customer" in refused["detail"]
    wrong = {"responsibility": "nobody", "resolution": "fixed"}
    await desk.post(f"/incidents/{incident}/resolve", wrong, status=422)


async def test_a_refused_transition_names_its_rule_and_writes_nothing(desk: Desk) -> None:
    incident = await desk.resolved()
    await desk.post(f"/incidents/{incident}/close")
    for action, body in (("start", None), ("note", {"text": "x"}), ("reopen", {"reason": "x"})):
        refused = await desk.post(f"/incidents/{incident}/{action}", body, status=409)
        assert refused["code"] == "closed_is_final"
        assert "Open a new incident" in refused["detail"]
    assert len(await desk.events(incident)) == 5


async def test_nothing_to_do_is_answered_without_an_event(desk: Desk) -> None:
    incident = await desk.open()
    same = await desk.post(f"/incidents/{incident}/prioritise", {"impact": 2, "urgency": 2})
    assert same["version"] == 1
    assert len(await desk.events(incident)) == 1


async def test_a_repeated_request_opens_one_incident(desk: Desk) -> None:
    key = {"Idempotency-Key": "call-17"}
    answers = [await desk.http.post(f"{BASE}/incidents", json=REPORT, headers=key) for _ in range(3)]
    assert len({answer.content for answer in answers}) == 1
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert await desk.pool.fetchval("select count(*) from es.event") == 1


async def test_if_match_guards_against_what_the_caller_did_not_see(desk: Desk) -> None:
    incident = await desk.open()
    path = f"/incidents/{incident}/note"
    await desk.post(path, {"text": "a"}, headers={"If-Match": '"1"'})
    stale = await desk.post(path, {"text": "b"}, headers={"If-Match": '"1"'}, status=412)
    assert stale["code"] == "version_conflict"


async def test_simultaneous_actions_are_all_kept(desk: Desk) -> None:
    incident = await desk.open()
    notes = [desk.post(f"/incidents/{incident}/note", {"text": f"note {index}"}) for index in range(6)]
    await asyncio.gather(*notes)
    shown = await desk.get(f"/incidents/{incident}")
    assert shown["version"] == 7
    assert {note["text"] for note in shown["notes"]} == {f"note {index}" for index in range(6)}


async def test_occurred_at_is_when_it_happened(desk: Desk) -> None:
    opened = await desk.post("/incidents", {**REPORT, "occurred_at": "2026-11-22T10:00:00+08:00"}, status=201)
    assert opened["opened_at"] == "2026-11-22T02:00:00.000000Z"
    [event] = await desk.events(opened["id"])
    assert event.recordedtime == START
    later = {"team": "network", "occurred_at": "2026-11-22T03:00:00Z"}
    assigned = await desk.post(f"/incidents/{opened['id']}/assign", later)
    assert assigned["changed_at"] == "2026-11-22T03:00:00.000000Z"


@pytest.mark.parametrize(
    ("instant", "code"),
    [
        ("2026-11-22T08:36:00Z", "in_the_future"),
        ("2026-11-22T08:30:00", "invalid"),
        ("2026-11-22", "invalid"),
        ("yesterday", "invalid"),
        (1_700_000_000, "invalid"),
        ("0001-01-01T00:00:00+14:00", "invalid"),
        ("9999-12-31T23:59:59-14:00", "invalid"),
        ("2026-13-41T25:61:00Z", "invalid"),
        ("２０２６-11-22T08:00:00Z", "invalid"),
    ],
)
async def test_instants_that_cannot_be_are_refused(desk: Desk, instant: Any, code: str) -> None:
    refused = await desk.post("/incidents", {**REPORT, "occurred_at": instant}, status=422)
    assert refused["code"] == code
    assert refused["errors"][0]["pointer"] == "/occurred_at"


async def test_a_clock_slightly_ahead_is_taken_for_now(desk: Desk) -> None:
    opened = await desk.post("/incidents", {**REPORT, "occurred_at": "2026-11-22T08:34:00Z"}, status=201)
    assert opened["opened_at"] == "2026-11-22T08:30:00.000000Z"


async def test_nothing_happens_before_the_last_event(desk: Desk) -> None:
    incident = await desk.open()
    early = {"team": "network", "occurred_at": "2026-11-22T08:00:00Z"}
    assert (await desk.post(f"/incidents/{incident}/assign", early, status=422))["code"] == "time_falls"


@pytest.mark.parametrize(
    "text",
    [
        "  空格 在 里面\t",
        "🔥🧯 emoji",
        "e\u0301 is not \u00e9",
        "line\r\nbreak",
        "<script>alert(1)</script>",
        "ＦＵＬＬ",
    ],
)
async def test_text_survives_every_door_unchanged(desk: Desk, text: str) -> None:
    incident = await desk.open(text, description=text)
    await desk.post(f"/incidents/{incident}/note", {"text": text})
    shown = await desk.get(f"/incidents/{incident}")
    assert (shown["title"], shown["description"]) == (text, text)
    assert shown["notes"][0]["text"] == text
    [listed] = (await desk.get("/incidents"))["items"]
    assert listed["title"] == text
    events = (await desk.get(f"/incidents/{incident}/events"))["items"]
    assert events[0]["data"]["title"] == text


@pytest.mark.parametrize(
    "change",
    [
        {"title": ""},
        {"title": " \t\n　\u200b"},
        {"title": "x" * 201},
        {"title": None},
        {"title": 5},
        {"title": ["a"]},
        {"title": "nul \0"},
        {"description": "x" * 20_001},
        {"impact": 0},
        {"impact": 4},
        {"impact": "1"},
        {"impact": True},
        {"impact": 1.5},
        {"urgency": 10**30},
        {"channel": "pigeon"},
        {"service": ""},
        {"requester": "x" * 65},
        {"requester": "wang fang"},
        {"organisation": "acme "},
        {"service": "core\nnetwork"},
        {"service": "x" * 201},
        {"category": " network"},
        {"configuration_item": "\u200b"},
        {"titel": "misspelt"},
        {"state": "closed"},
    ],
)
async def test_wrong_reports_are_told_what_is_wrong(desk: Desk, change: dict[str, Any]) -> None:
    refused = await desk.post("/incidents", {**REPORT, **change}, status=422)
    assert refused.get("errors") or refused["code"] == "number_out_of_range"
    assert await desk.pool.fetchval("select count(*) from es.event") == 0


@pytest.mark.parametrize("body", [None, [], "text", 5, {}])
async def test_bodies_that_are_no_report_are_refused(desk: Desk, body: Any) -> None:
    await desk.post("/incidents", body, status=422)


async def test_a_title_of_200_characters_of_any_plane_fits(desk: Desk) -> None:
    await desk.open("𠀀" * 200, description="漢" * 20_000)


@pytest.mark.parametrize("reason", ["", "Awaiting", "a" * 41, "no blanks", "naïve", "_other", "other "])
async def test_hold_reasons_are_slugs(desk: Desk, reason: str) -> None:
    incident = await desk.open()
    await desk.post(f"/incidents/{incident}/hold", {"reason": reason}, status=422)


@pytest.mark.parametrize("team", ["", "network ", " network", "a\tb", "网络", "x" * 65, "team:network"])
async def test_teams_and_people_are_opaque_ids(desk: Desk, team: str) -> None:
    incident = await desk.open(configuration_item="db-01:9100", service="核心网络", category="network / 交换")
    await desk.post(f"/incidents/{incident}/assign", {"team": team}, status=422)
    await desk.post(f"/incidents/{incident}/assign", {"team": "network", "assignee": team}, status=422)
    await desk.post(f"/incidents/{incident}/start", {"assignee": team}, status=422)


@pytest.mark.parametrize("name", ["INC9999999", "nothing", "%E4%B8%AD", "'; drop table incident_queue; --", "x" * 500])
async def test_unknown_incidents_are_not_found(desk: Desk, name: str) -> None:
    for path in (f"/incidents/{name}", f"/incidents/{name}/events"):
        assert (await desk.get(path, status=404))["code"] == "not_found"
    assert (await desk.post(f"/incidents/{name}/start", status=404))["code"] == "not_found"


async def test_roles_decide_who_acts(desk: Desk) -> None:
    requester = desk.headers("requester")
    opened = await desk.post("/incidents", REPORT, status=201, headers=requester)
    incident = f"/incidents/{opened['id']}"
    await desk.post(f"{incident}/note", {"text": "internal"})
    await desk.post(f"{incident}/note", {"text": "public", "public": True})
    assert [note["text"] for note in (await desk.get(incident, headers=requester))["notes"]] == ["public"]
    await desk.get(f"{incident}/events", headers=requester, status=403)
    for role in ("requester", "analyst", "auditor", "operator", "integration"):
        await desk.post(f"{incident}/assign", {"team": "network"}, headers=desk.headers(role), status=403)
    for role in ("analyst", "auditor"):
        await desk.post("/incidents", REPORT, headers=desk.headers(role), status=403)
        await desk.get(incident, headers=desk.headers(role))
    for role in ("lead", "administrator"):
        await desk.post(f"{incident}/assign", {"team": role}, headers=desk.headers(role))


async def test_callers_act_only_for_their_organisations(desk: Desk) -> None:
    acme = desk.headers(organisations=["acme"])
    both = desk.headers(organisations=["acme", "globex"])
    await desk.post("/incidents", {**REPORT, "organisation": "globex"}, headers=acme, status=403)
    missing = await desk.post("/incidents", REPORT, headers=both, status=422)
    assert missing["code"] == "organisation_missing"
    own = await desk.post("/incidents", REPORT, headers=acme, status=201)
    assert own["organisation"] == "acme"
    foreign = await desk.open(organisation="globex")
    nobodys = await desk.open()
    for incident in (foreign, nobodys):
        await desk.get(f"/incidents/{incident}", headers=acme, status=404)
        await desk.get(f"/incidents/{incident}/events", headers=acme, status=404)
        await desk.post(f"/incidents/{incident}/assign", {"team": "a"}, headers=acme, status=404)
    assert [item["id"] for item in (await desk.get("/incidents", headers=acme))["items"]] == [own["id"]]
    assert len((await desk.get("/incidents", headers=both))["items"]) == 2
    assert (await desk.get("/incidents?organisation=globex", headers=acme))["items"] == []
    assert (await desk.get("/incidents", headers=desk.headers(organisations=[])))["items"] == []
    await desk.post(f"/incidents/{foreign}/assign", {"team": "a"})
    assert {event.organisation for event in await desk.events(foreign)} == {"globex"}
