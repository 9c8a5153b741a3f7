"""The main job through the doors: opened, clocked, warned, breached, mailed, reported."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.support.waiting import eventually

from opsledger_runtime.testing.harness import Harness
from opsledger_runtime.testing.smtp_sink import SmtpSink

TITLE = "门诊大厅网络时断时续 🖧 “核心交换机”"


async def ask(client: httpx.AsyncClient, method: str, path: str, **body: Any) -> Any:
    """One request that must succeed."""
    answer = await client.request(method, f"/api{path}", json=body or None)
    assert answer.is_success, answer.text
    return answer.json()


async def open_incident(platform: Harness, **body: Any) -> dict[str, Any]:
    given = {"title": TITLE, "impact": 1, "urgency": 1, "requester": "requester-1", "channel": "phone", **body}
    found: dict[str, Any] = await ask(platform.client("agent"), "POST", "/incident/v1/incidents", **given)
    return found


async def clocks_of(platform: Harness, incident: str) -> dict[str, dict[str, Any]]:
    await platform.quiet()
    found = await ask(platform.client("agent"), "GET", f"/sla/v1/clocks?incident={incident}")
    return {clock["metric"]: clock for clock in found["items"]}


async def events_of(platform: Harness, context: str, aggregate: str) -> list[dict[str, Any]]:
    found = await ask(platform.client("auditor"), "GET", f"/{context}/v1/events?aggregate={aggregate}")
    return list(found["items"])


async def test_r94_an_incident_runs_through_clocks_warning_breach_mail_and_report(
    platform: Harness, mail: SmtpSink
) -> None:
    agent = platform.client("agent")
    opened = await open_incident(platform)
    act = f"/incident/v1/incidents/{opened['id']}"
    assert opened["number"].startswith("INC0")
    await ask(agent, "POST", f"{act}/assign", team="network", assignee="engineer-1")
    await platform.advance(timedelta(minutes=5))
    await ask(agent, "POST", f"{act}/start")
    await platform.advance(timedelta(minutes=5))
    await ask(agent, "POST", f"{act}/hold", reason="awaiting_requester")
    await platform.advance(timedelta(minutes=30))
    await ask(agent, "POST", f"{act}/resume")
    await platform.advance(timedelta(hours=4))

    clocks = await clocks_of(platform, opened["id"])
    assert clocks["response"]["met"] is True
    assert clocks["resolution"]["breached_at"] == clocks["resolution"]["due_at"]
    history = await events_of(platform, "sla", clocks["resolution"]["id"])
    names = [event["type"].split(".")[2] for event in history]
    assert names == ["SLAClockStarted", "SLAClockPaused", "SLAClockResumed", "SLAWarningReached", "SLABreached"]

    found = await mail.expect(to="engineer-1@example.com", subject_contains=opened["number"], timeout=20)
    assert found.message_id
    breach = await eventually(lambda: _breach_mail(mail, opened["number"]))
    assert TITLE in breach.subject + breach.body

    await ask(agent, "POST", f"{act}/resolve", responsibility="provider", resolution="更换光模块")
    await platform.quiet()
    row = await ask(platform.client("analyst"), "GET", f"/reporting/v1/incidents/{opened['id']}")
    assert row["title"] == TITLE
    assert row["seconds_to_acknowledge"] <= 60
    assert row["held_seconds"] == pytest.approx(30 * 60, abs=30)


async def _breach_mail(mail: SmtpSink, number: str) -> Any:
    found = [m for m in mail.messages if number in m.subject and "超时" in m.subject + m.body]
    return found[0] if found else None


async def test_every_effect_names_its_cause(platform: Harness) -> None:
    opened = await open_incident(platform, title="chain")
    clocks = await clocks_of(platform, opened["id"])
    incident = await events_of(platform, "incident", opened["id"])
    started = await events_of(platform, "sla", clocks["resolution"]["id"])
    assert started[0]["causationid"] == incident[0]["id"]
    assert started[0]["correlationid"] == incident[0]["correlationid"]


async def test_an_incident_opened_at_once_gets_clocks_from_the_default_agreement(platform: Harness) -> None:
    agreements = await ask(platform.client("agent"), "GET", "/sla/v1/agreements")
    assert [agreement["default"] for agreement in agreements["items"]].count(True) == 1
    opened = await open_incident(platform, title="first", impact=3, urgency=3)
    assert set(await clocks_of(platform, opened["id"])) == {"response", "resolution"}


async def test_a_prioritised_incident_keeps_its_elapsed_time(platform: Harness) -> None:
    opened = await open_incident(platform, title="slow", impact=3, urgency=3)
    await platform.advance(timedelta(hours=2))
    body = {"impact": 1, "urgency": 1}
    await ask(platform.client("agent"), "POST", f"/incident/v1/incidents/{opened['id']}/prioritise", **body)
    clocks = await clocks_of(platform, opened["id"])
    assert clocks["resolution"]["elapsed_seconds"] == pytest.approx(7200, abs=60)
    assert clocks["resolution"]["target_seconds"] == 4 * 3600
    assert clocks["response"]["breached_at"] is not None  # 15 minutes had passed long ago


async def test_reopening_continues_the_clock_and_cancelling_ends_it(platform: Harness) -> None:
    agent = platform.client("agent")
    opened = await open_incident(platform, title="again")
    act = f"/incident/v1/incidents/{opened['id']}"
    await platform.advance(timedelta(minutes=10))
    await ask(agent, "POST", f"{act}/resolve", responsibility="customer", resolution="restarted")
    before = (await clocks_of(platform, opened["id"]))["resolution"]
    await platform.advance(timedelta(hours=1))
    await ask(agent, "POST", f"{act}/reopen", reason="又坏了")
    after = (await clocks_of(platform, opened["id"]))["resolution"]
    assert before["state"] == "stopped"
    assert after["state"] == "running"
    assert after["elapsed_seconds"] == pytest.approx(before["elapsed_seconds"], abs=30)
    await ask(agent, "POST", f"{act}/cancel", reason="误报")
    assert (await clocks_of(platform, opened["id"]))["resolution"]["state"] == "cancelled"


async def test_r16_closing_needs_a_responsibility_code(platform: Harness) -> None:
    opened = await open_incident(platform, title="no code")
    act = f"/api/incident/v1/incidents/{opened['id']}"
    refused = await platform.client("agent").post(f"{act}/close")
    assert refused.status_code == 409
    assert refused.json()["code"] == "only_resolved_is_closed"
    missing = await platform.client("agent").post(f"{act}/resolve", json={"resolution": "done"})
    assert missing.status_code in (409, 422)
    assert "responsib" in missing.text


async def test_a_read_elsewhere_waits_for_the_write(platform: Harness) -> None:
    agent = platform.client("agent")
    answer = await agent.post("/api/incident/v1/incidents", json={"title": "position", "impact": 2, "urgency": 2})
    token = answer.headers["Opsledger-Position"]
    assert token.startswith("incident:")
    headers = {"Opsledger-Position": token}
    found = await agent.get(f"/api/sla/v1/clocks?incident={answer.json()['id']}", headers=headers)
    assert len(found.json()["items"]) == 2


async def test_indicators_can_be_read_as_json_and_csv(platform: Harness) -> None:
    await platform.quiet()
    analyst = platform.client("analyst")
    for indicator in ("mtta", "mttr", "sla-attainment", "backlog"):
        found = await ask(analyst, "GET", f"/reporting/v1/indicators/{indicator}")
        assert found["formula"]
        assert found["population"]
        answer = await analyst.get(f"/api/reporting/v1/indicators/{indicator}?format=csv")
        assert answer.headers["content-type"].startswith("text/csv")
