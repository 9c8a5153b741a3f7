"""R2 and R13, end to end: what was booked and promised is told through every service, and stops none of them."""

from datetime import timedelta
from typing import Any

from opsledger_events.envelope import format_instant
from opsledger_runtime.testing.harness import Harness


async def test_r2_r13_contacts_and_promises_pass_through_every_service(platform: Harness) -> None:
    http = platform.client("agent")
    item = {
        "key": "e2e-core",
        "name": "核心库",
        "item_class": "server",
        "criticality": "critical",
        "owner_team": "network",
    }
    answer = await platform.client("lead").post("/api/cmdb/v1/items", json=item)
    assert answer.status_code == 201, answer.text
    await platform.quiet()
    report = {"title": "库变慢", "impact": 2, "urgency": 2, "configuration_item": "E2E-core", "requester": "wang-fang"}
    opened = (await http.post("/api/incident/v1/incidents", json=report)).json()
    assert (opened["team"], opened["criticality"]) == ("network", "critical")
    where = f"/api/incident/v1/incidents/{opened['id']}"
    tomorrow = format_instant(platform.clock.now() + timedelta(days=1))
    steps: list[tuple[str, Any]] = [
        ("contact", {"channel": "phone", "note": "内部", "booked_at": tomorrow}),
        ("start", {}),
        ("workaround", {"workaround": "改用只读副本"}),
        ("hold", {"reason": "awaiting_vendor", "promised_at": tomorrow, "promised": "我明天再来"}),
    ]
    for action, body in steps:
        answer = await http.post(f"{where}/{action}", json=body)
        assert answer.status_code == 200, answer.text
    await platform.quiet()
    for service in await platform.statuses():
        assert {one["name"]: one["parked"] for one in service["subscriptions"] if one["parked"]} == {}
    shown = (await platform.client("requester", subject="wang-fang").get(where)).json()
    [contact] = shown["contacts"]
    assert (contact["booked_at"], contact["note"]) == (tomorrow, None)
    assert (shown["promised_at"], shown["promised"], shown["workaround"]) == (tomorrow, "我明天再来", "改用只读副本")
    row = (await platform.client("analyst").get(f"/api/reporting/v1/incidents/{opened['id']}")).json()
    assert row["state"] == "on_hold"
