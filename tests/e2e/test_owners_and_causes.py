"""R67, end to end: what the register of items says decides who is woken by an alert, and what is only a consequence."""

from typing import Any

from opsledger_runtime.testing.harness import Harness
from opsledger_runtime.testing.smtp_sink import SmtpSink


async def register(platform: Harness, key: str, item_class: str, owner: str | None = None, **given: Any) -> None:
    body = {"key": key, "name": key, "item_class": item_class, "lifecycle": "operational", "owner_team": owner, **given}
    answer = await platform.client("lead").post("/api/cmdb/v1/items", json=body)
    assert answer.status_code == 201, answer.text


async def fires(platform: Harness, instance: str) -> Any:
    alert = {
        "status": "firing",
        "labels": {"alertname": "Down", "instance": instance, "severity": "critical"},
        "startsAt": platform.clock.now().isoformat(),
        "fingerprint": f"e2e-{instance}",
    }
    body = {"version": "4", "status": "firing", "alerts": [alert]}
    client = platform.client("intake", subject="monitoring")
    answer = await client.post("/api/incident/v1/alerts/alertmanager", json=body)
    assert answer.status_code == 202, answer.text
    title = {"q": f"Down {instance}".lower()}
    return (await platform.client("agent").get("/api/incident/v1/incidents", params=title)).json()["items"][0]


async def test_r67_an_alert_wakes_the_owner_and_its_consequences_wake_nobody(platform: Harness, mail: SmtpSink) -> None:
    await register(platform, "e2e-sw", "network_device", "network", identifiers=[{"kind": "ip", "value": "10.9.8.7"}])
    await register(platform, "e2e-srv", "server", "network")
    await register(platform, "e2e-shop", "business_service", "desk")
    for source, target in (("e2e-shop", "e2e-srv"), ("e2e-srv", "e2e-sw")):
        related = {"source": source, "relation": "depends_on", "target": target}
        answer = await platform.client("lead").post("/api/cmdb/v1/relations", json=related)
        assert answer.status_code == 201, answer.text
    await platform.quiet()
    cause = await fires(platform, "10.9.8.7:9100")
    assert (cause["team"], cause["configuration_item"], cause["state"]) == ("network", "e2e-sw", "assigned")
    consequence = await fires(platform, "e2e-srv:9100")
    assert (consequence["parent"], consequence["team"]) == (cause["id"], "network")
    detail = (await platform.client("agent").get(f"/api/incident/v1/incidents/{cause['id']}")).json()
    assert [one["key"] for one in detail["affected"]["items"]] == ["e2e-shop", "e2e-srv"]
    assert [one["number"] for one in detail["children"]["items"]] == [consequence["number"]]
    reached = (await platform.client("agent").get("/api/cmdb/v1/items/e2e-sw/dependents")).json()
    assert [item["key"] for group in reached["groups"] for item in group["items"]] == ["e2e-shop", "e2e-srv"]
    sent = await mail.expect(to="engineer-1@example.com", subject_contains=cause["number"], timeout=20)
    assert cause["number"] in sent.subject
    await platform.quiet()
    asked = {"incident": consequence["id"]}
    deliveries = (await platform.client("operator").get("/api/notify/v1/deliveries", params=asked)).json()["items"]
    assert deliveries == []
    asked = {"incident": cause["id"]}
    assert (await platform.client("operator").get("/api/notify/v1/deliveries", params=asked)).json()["items"] != []
