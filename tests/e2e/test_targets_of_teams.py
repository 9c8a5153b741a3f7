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


async def agree(platform: Harness, number: int, kind: str, team: str, seconds: int, revision: int = 1) -> str:
    """A target to resolve, around the clock, of a team; the path of its agreement."""
    lead = platform.client("administrator")
    (default,) = [one for one in (await ask(lead, "GET", "/sla/v1/agreements"))["items"] if one["default"]]
    targets = [{"priority": priority, "resolution_seconds": seconds} for priority in range(1, 6)]
    said = {"name": f"{kind} of {team}", "kind": kind, "team": team, "calendar": default["calendar"]}
    path = f"/sla/v1/agreements/00000000-0000-7000-8000-{number:012d}"
    body = {**said, "targets": targets, "pausing_reasons": [], "warning_percent": [75]}
    headers = {"If-Match": f'"{revision - 1}"'} if revision > 1 else {}
    answer = await lead.put(f"/api{path}", json=body, headers=headers)
    assert answer.is_success, answer.text
    return path


async def test_r83_teams_that_miss_their_targets_are_told_and_shown_and_customers_figures_stay(
    platform: Harness, mail: SmtpSink
) -> None:
    desk = {"name": "服务台", "members": ["engineer-2"]}
    headers = {"If-Match": '"1"'}
    answer = await platform.client("administrator").put("/api/notify/v1/teams/service-desk", json=desk, headers=headers)
    assert answer.is_success, answer.text
    await agree(platform, 1, "ola", "network", 600)
    await agree(platform, 2, "uc", "vendor-x", 600)
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


async def test_a_vendors_breach_is_taken_back_where_another_revision_of_its_contract_is_applied(
    platform: Harness, mail: SmtpSink
) -> None:
    await agree(platform, 3, "uc", "vendor-y", 600)
    await platform.quiet()
    said = {"title": "链路中断", "impact": 1, "urgency": 1, "requester": "requester-1", "channel": "phone"}
    opened = await ask(platform.client("agent"), "POST", "/incident/v1/incidents", **said)
    await ask(platform.client("agent"), "POST", f"/incident/v1/incidents/{opened['id']}/assign", team="vendor-y")
    await platform.quiet()
    await platform.advance(timedelta(minutes=11))
    path = await agree(platform, 3, "uc", "vendor-y", 7200, revision=2)
    await ask(platform.client("administrator"), "POST", f"{path}/apply", revision=2)
    await platform.quiet()

    subject = f"UC breach notice withdrawn: time of {opened['number']} for resolution"
    taken_back = await mail.expect(to="engineer-2@example.com", subject_contains=subject, timeout=20)
    assert "by the agreement and calendar that apply now, it was not overdue at that time" in taken_back.body

    async def judged() -> Any:
        row = await ask(platform.client("analyst"), "GET", f"/reporting/v1/incidents/{opened['id']}")
        (clock,) = [one for one in row["clocks"] if one["kind"] == "uc"]
        return clock if clock["agreement_revision"] == 2 and clock["withdrawn"] else None

    clock = await eventually(judged)
    assert (clock["target_seconds"], clock["state"], clock["breached_at"]) == (7200, "running", None)
