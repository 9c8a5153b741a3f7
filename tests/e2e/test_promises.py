"""Promises through the doors: a public note promises, its author is reminded, it is broken, told of, and kept late."""

from datetime import timedelta
from typing import Any

from tests.support.waiting import eventually

from opsledger_runtime.testing.harness import Harness
from opsledger_runtime.testing.smtp_sink import Mail, SmtpSink


async def opened(platform: Harness, title: str) -> dict[str, Any]:
    """An incident of the network team on which engineer-2 works."""
    agent = platform.client("agent")
    body = {"title": title, "impact": 3, "urgency": 3, "requester": "requester-1", "channel": "phone"}
    found: dict[str, Any] = (await agent.post("/api/incident/v1/incidents", json=body)).raise_for_status().json()
    act = f"/api/incident/v1/incidents/{found['id']}"
    (await agent.post(f"{act}/assign", json={"team": "network", "assignee": "engineer-2"})).raise_for_status()
    return found


async def note(platform: Harness, incident: str, text: str, by: str) -> None:
    author = platform.client("agent", subject=by)
    body = {"text": text, "public": True}
    (await author.post(f"/api/incident/v1/incidents/{incident}/note", json=body)).raise_for_status()
    await platform.quiet()


async def promises_of(platform: Harness, incident: str) -> list[dict[str, Any]]:
    found = await platform.client("agent").get(f"/api/sla/v1/promises?incident={incident}")
    items: list[dict[str, Any]] = found.raise_for_status().json()["items"]
    return items


async def mailed(mail: SmtpSink, number: str, word: str, to: str) -> Mail:
    async def look() -> Mail | None:
        found = [one for one in mail.messages if number in one.subject and word in one.subject and to in one.to]
        return found[0] if found else None

    found = await eventually(look)
    assert found is not None
    return found


async def test_r18_a_note_promises_its_author_is_reminded_it_breaks_and_is_kept_late(
    platform: Harness, mail: SmtpSink
) -> None:
    incident = await opened(platform, "门诊大厅网络时断时续")
    number = incident["number"]
    await note(platform, incident["id"], "您好，确定原因后再回复您。", "engineer-1")
    (made,) = await promises_of(platform, incident["id"])
    assert (made["state"], made["owner"], made["awaits"], made["due_by_default"]) == (
        "open",
        "engineer-1",
        "reply",
        True,
    )

    await platform.advance(timedelta(minutes=95))
    reminder = await mailed(mail, number, "承诺即将到期", "engineer-1@example.com")
    assert "确定原因后再回复您" in reminder.body
    await platform.advance(timedelta(minutes=30))
    broken = await mailed(mail, number, "失约", "engineer-1@example.com")
    assert "门诊大厅网络时断时续" in broken.body
    assert "优先级" not in broken.body
    assert "Promise broken" in (await mailed(mail, number, "Promise broken", "engineer-2@example.com")).subject
    (late,) = await promises_of(platform, incident["id"])
    assert (late["state"], late["broken_at"], late["break_announced"]) == ("broken", made["due_at"], True)

    await note(platform, incident["id"], "光模块已更换", "engineer-2")
    home = f"/api/sla/v1/promises/{made['id']}"
    kept = (await platform.client("agent").get(home)).raise_for_status().json()
    assert (kept["state"], kept["broken"]) == ("kept", True)
    assert 0 < kept["late_seconds"] < 30 * 60
    assert "engineer-1 于" in kept["explanation"]["zh"]
    assert "kept late at" in kept["explanation"]["en"]
    history = await platform.client("auditor").get(f"/api/sla/v1/events?aggregate={made['id']}")
    names = [one["type"].split(".")[2] for one in history.json()["items"]]
    assert names == ["PromiseMade", "PromiseReminderReached", "PromiseBroken", "PromiseKept"]


async def test_r13_a_promised_day_by_hand_is_kept_in_time_and_calls_nobody(platform: Harness, mail: SmtpSink) -> None:
    incident = await opened(platform, "备件未到")
    await platform.quiet()
    agent = platform.client("agent", subject="engineer-1")
    body = {
        "incident": incident["number"],
        "text": "周一带备件再来",
        "due": {"working_hours": 20},
        "reason": "awaiting_vendor",
    }
    made = (await agent.post("/api/sla/v1/promises", json=body)).raise_for_status().json()
    await platform.advance(timedelta(hours=10))
    kept = (await agent.post(f"/api/sla/v1/promises/{made['id']}/keep")).raise_for_status().json()
    assert (kept["state"], kept["broken"], kept["reason"]) == ("kept", False, "awaiting_vendor")
    await platform.advance(timedelta(hours=20))
    await platform.quiet()
    assert not [one for one in mail.messages if incident["number"] in one.subject and "失约" in one.subject]


async def test_r18_a_note_that_promises_nothing_leaves_nothing(platform: Harness) -> None:
    incident = await opened(platform, "无承诺")
    await note(platform, incident["id"], "请尽快回复。客户承诺明天提供日志。", "engineer-1")
    assert await promises_of(platform, incident["id"]) == []


async def test_r13_a_hold_with_a_date_promises_and_a_contact_answers_a_reply(platform: Harness) -> None:
    incident = await opened(platform, "等备件")
    agent = platform.client("agent", subject="engineer-2")
    act = f"/api/incident/v1/incidents/{incident['id']}"
    (await agent.post(f"{act}/start")).raise_for_status()
    await note(platform, incident["id"], "稍后给您回电", "engineer-1")
    (await agent.post(f"{act}/contact", json={"channel": "phone"})).raise_for_status()
    due = (platform.clock.now() + timedelta(days=3)).isoformat()
    body = {"reason": "awaiting_vendor", "promised_at": due, "promised": "三天后带备件再来"}
    (await agent.post(f"{act}/hold", json=body)).raise_for_status()
    await platform.quiet()
    reply, back = await promises_of(platform, incident["id"])
    assert (reply["awaits"], reply["state"]) == ("reply", "kept")
    assert {
        "source": "hold",
        "state": "open",
        "reason": "awaiting_vendor",
        "owner": "engineer-2",
    }.items() <= back.items()
    assert back["text"] == "三天后带备件再来"
    await platform.advance(timedelta(days=1))
    (await agent.post(f"{act}/resume")).raise_for_status()
    await platform.quiet()
    _, back = await promises_of(platform, incident["id"])
    assert (back["state"], back["broken"]) == ("kept", False)
