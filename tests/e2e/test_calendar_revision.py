"""A holiday entered late reaches a running clock: defined, applied, moved by the real timers, shown by reporting."""

from typing import Any

from tests.support.waiting import eventually

from opsledger_runtime.testing.harness import Harness

CALENDAR = "/api/sla/v1/calendars/00000000-0000-7000-8000-00000000ca1e"
AGREEMENT = "/api/sla/v1/agreements/00000000-0000-7000-8000-0000000a9eee"
WEEK = [{"day": day, "opens": "00:00", "closes": "24:00"} for day in range(7)]


async def test_r94_a_holiday_entered_late_moves_a_running_clock(platform: Harness) -> None:
    lead, agent = platform.client("lead"), platform.client("agent")
    body = {"name": "每日", "time_zone": "Asia/Shanghai", "weekly": WEEK}
    targets = [{"priority": 1, "resolution_seconds": 3 * 86400}]
    agreement = {"name": "x", "calendar": CALENDAR[-36:], "targets": targets, "service": "calendar-revision"}
    for path, given in ((CALENDAR, body), (AGREEMENT, agreement)):
        (await lead.put(path, json=given)).raise_for_status()
    told = {"title": "x", "impact": 1, "urgency": 1, "channel": "phone", "service": "calendar-revision"}
    incident = (await agent.post("/api/incident/v1/incidents", json=told)).raise_for_status().json()["id"]
    await platform.quiet()
    before = await _clock(platform, incident)

    days = (await agent.get(f"{CALENDAR}/days")).raise_for_status().json()
    text = f"date,kind,name_zh\n{days[1]['date']},closed,临时放假\n"
    (await lead.post(f"{CALENDAR}/exceptions/csv", json={"text": text})).raise_for_status()
    assert (await _clock(platform, incident))["due_at"] == before["due_at"]
    answer = (await lead.post(f"{CALENDAR}/apply", json={"revision": 2})).raise_for_status().json()
    assert (answer["applied"], answer["clocks"]) == (True, 1)
    moved = await eventually(lambda: _revised(platform, incident))
    assert moved["due_at"] > before["due_at"]


async def _clock(platform: Harness, incident: str) -> dict[str, Any]:
    answer = await platform.client("agent").get(f"/api/sla/v1/clocks?incident={incident}")
    (clock,) = answer.raise_for_status().json()["items"]
    found: dict[str, Any] = clock
    return found


async def _revised(platform: Harness, incident: str) -> dict[str, Any] | None:
    clock = await _clock(platform, incident)
    return clock if clock["calendar_revision"] == 2 else None
