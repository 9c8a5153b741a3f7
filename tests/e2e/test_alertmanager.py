"""A real Alertmanager against the running platform: fires, repeats, resolves."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support import alertmanager
from tests.support.waiting import eventually

from opsledger_runtime.testing.harness import Harness
from opsledger_runtime.testing.smtp_sink import SmtpSink


async def test_a_real_alertmanager_leads_to_clocks_mail_and_report_row(
    platform: Harness, mail: SmtpSink, manager: alertmanager.Alertmanager
) -> None:
    agent, name = platform.client("agent"), "磁盘将满 /var"
    labels = {"severity": "critical", "instance": "db-01:9100", "team": "desk", "service": "erp"}
    await manager.send("DiskFull", labels=labels, summary=name)

    async def opened() -> Any:
        found = (await agent.get("/api/incident/v1/incidents", params={"q": name})).raise_for_status().json()["items"]
        return found[0] if found else None

    incident = await eventually(opened)
    assert (incident["priority"], incident["team"]) == (1, "desk")

    async def repeated() -> Any:
        intake = await agent.get(f"/api/incident/v1/incidents/{incident['id']}")
        assert intake.json()["title"] == name
        received = await _received(platform, incident["id"])
        assert received >= 3, f"received {received} times"
        return received

    await eventually(repeated, timeout=30)
    found = (await agent.get("/api/incident/v1/incidents", params={"q": name})).json()["items"]
    assert len(found) == 1

    await manager.send("DiskFull", labels=labels, summary=name, ends_at=datetime.now(UTC) - timedelta(seconds=1))

    async def annotated() -> Any:
        events = await agent.get(f"/api/incident/v1/incidents/{incident['id']}/events")
        names = [event["type"].split(".")[2] for event in events.json()["items"]]
        return names == ["IncidentOpened", "IncidentAssigned", "IncidentAlertStateChanged"]

    await eventually(annotated, timeout=30)
    await platform.quiet()
    clocks = (await agent.get("/api/sla/v1/clocks", params={"incident": incident["id"]})).json()["items"]
    assert {clock["metric"] for clock in clocks} == {"response", "resolution"}
    sent = await mail.expect(to="engineer-2@example.com", subject_contains=incident["number"], timeout=20)
    assert name in sent.subject + sent.body
    row = await platform.client("analyst").get(f"/api/reporting/v1/incidents/{incident['id']}")
    assert row.json()["title"] == name


async def _received(platform: Harness, incident: str) -> int:
    """How often the intake row says that the alert came firing."""
    history = await platform.client("agent").get(f"/api/incident/v1/incidents/{incident}/events")
    fingerprint = history.json()["items"][0]["data"]["alert_fingerprint"]
    (service,) = [running for running in platform.runnings if running.context == "incident"]
    query = "select count from alert_intake where fingerprint = $1 and status = 'firing'"
    return int(await service.pool.fetchval(query, fingerprint))
