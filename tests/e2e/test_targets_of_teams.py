"""Internal targets and vendors' contracts through the doors: told to whom they bind, counted by themselves."""

from datetime import timedelta
from typing import Any

import httpx
from tests.support.waiting import eventually

from opsledger_runtime.testing.harness import Harness
from opsledger_runtime.testing.smtp_sink import SmtpSink


async def ask(client: httpx.AsyncClient, method: str, path: str, **body: Any) -> Any:
    """One request that must succeed."""
    answer = await client.request(method, f"/api{path}", json=body or None)
    assert answer.is_success, answer.text
    return answer.json()


async def agree(platform: Harness, number: int, kind: str, team: str) -> None:
    """A target of ten minutes to resolve, around the clock, of a team."""
    lead = platform.client("administrator")
    (default,) = [one for one in (await ask(lead, "GET", "/sla/v1/agreements"))["items"] if one["default"]]
    targets = [{"priority": priority, "resolution_seconds": 600} for priority in range(1, 6)]
    said = {"name": f"{kind} of {team}", "kind": kind, "team": team, "calendar": default["calendar"]}
    path = f"/sla/v1/agreements/00000000-0000-7000-8000-{number:012d}"
    await ask(lead, "PUT", path, **said, targets=targets, pausing_reasons=[], warning_percent=[75])


async def test_r83_teams_that_miss_their_targets_are_told_and_shown_and_customers_figures_stay(
    platform: Harness, mail: SmtpSink
) -> None:
    desk = {"name": "服务台", "members": ["engineer-2"]}
    headers = {"If-Match": '"1"'}
    answer = await platform.client("administrator").put("/api/notify/v1/teams/service-desk", json=desk, headers=headers)
    assert answer.is_success, answer.text
    await agree(platform, 1, "ola", "network")
    await agree(platform, 2, "uc", "vendor-x")
    await platform.quiet()
    agent = platform.client("agent")
    said = {"title": "交换机重启", "impact": 1, "urgency": 1, "requester": "requester-1", "channel": "phone"}
    opened = await ask(agent, "POST", "/incident/v1/incidents", **said)
    act = f"/incident/v1/incidents/{opened['id']}"
    for team in ("network", "vendor-x"):
        await ask(agent, "POST", f"{act}/assign", team=team)
        await platform.quiet()
        await platform.advance(timedelta(minutes=11))
    await platform.quiet()

    number = opened["number"]
    ola = await mail.expect(to="engineer-1@example.com", subject_contains=f"OLA 超时：{number}", timeout=20)
    assert "这是网络组的内部目标（OLA）" in ola.body
    uc = await mail.expect(to="engineer-2@example.com", subject_contains=f"UC breached: {number}", timeout=20)
    assert "the vendor's team vendor-x has promised by contract (UC)" in uc.body
    assert not [one for one in mail.messages if "requester-1@example.com" in one.recipients]

    analyst = platform.client("analyst")
    figures = "/reporting/v1/indicators/sla-attainment"

    async def by_team(kind: str) -> list[tuple[str, int, int]]:
        rows = (await ask(analyst, "GET", f"{figures}?kind={kind}&metric=resolution&group_by=team"))["rows"]
        return [(row["group"], row["numerator"], row["denominator"]) for row in rows]

    assert await eventually(lambda: by_team("ola")) == [("network", 0, 1)]
    assert await eventually(lambda: by_team("uc")) == [("vendor-x", 0, 1)]
    assert await by_team("sla") == []
    row = await ask(analyst, "GET", f"/reporting/v1/incidents/{opened['id']}")
    told = {(clock["kind"], clock["party"], clock["metric"], clock["state"]) for clock in row["clocks"]}
    assert {("ola", "network", "resolution"), ("uc", "vendor-x", "resolution")} <= {found[:3] for found in told}, told
    assert ("uc", "vendor-x", "resolution", "breached") in told
