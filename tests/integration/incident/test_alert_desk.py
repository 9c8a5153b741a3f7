"""What the desk sees of the intake: what was kept aside, how often an alert came, and for how long that is kept."""

import json

from tests.support.incident_desk import Desk, alert

from incident.intake import kept_aside


async def test_operators_see_what_was_kept_aside_latest_first(desk: Desk) -> None:
    await desk.webhook(5, {"labels": "x"})
    desk.pass_time(minutes=1)
    await desk.webhook({**alert(), "status": "odd"})
    operator = desk.headers("operator")
    found = await desk.get("/alerts/rejected", headers=operator)
    assert found["items"][0]["reason"] == "`status` is neither firing nor resolved."
    assert [json.loads(item["body"]) for item in found["items"]][1:] == [{"labels": "x"}, 5]
    assert {item["source"] for item in found["items"]} == {"alertmanager"}
    assert found["items"][0]["received_at"] == "2026-11-22T08:31:00.000000Z"
    first = await desk.get("/alerts/rejected?limit=2", headers=operator)
    second = await desk.get(f"/alerts/rejected?limit=2&cursor={first['next']}", headers=operator)
    assert first["items"] + second["items"] == found["items"]
    assert second["next"] is None


async def test_a_long_body_is_cut_and_says_how_long_it_was(desk: Desk) -> None:
    await desk.webhook({"labels": "x" * 50_000})
    [item] = (await desk.get("/alerts/rejected", headers=desk.headers("operator")))["items"]
    assert (len(item["body"]), item["size"]) == (kept_aside.SHOWN, 50_014)


async def test_what_was_kept_aside_is_for_operators_of_the_whole(desk: Desk) -> None:
    for role in ("requester", "agent", "lead", "analyst", "integration", "intake"):
        await desk.get("/alerts/rejected", headers=desk.headers(role), status=403)
    limited = desk.headers("operator", organisations=["acme"])
    await desk.get("/alerts/rejected", headers=limited, status=404)
    await desk.get("/alerts/rejected?cursor=WzFd", headers=desk.headers("operator"))
    await desk.get("/alerts/rejected?cursor=x", headers=desk.headers("operator"), status=422)


async def test_an_incident_tells_how_often_its_alert_came(desk: Desk) -> None:
    await desk.webhook(alert())
    [listed] = (await desk.get("/incidents"))["items"]
    path = f"/incidents/{listed['id']}"
    assert (await desk.get(path))["alert_received_count"] == 1
    for _ in range(3):
        await desk.webhook(alert())
    await desk.webhook(alert(status="resolved"))
    await desk.webhook(alert(startsAt="2026-11-22T08:29:30Z"))
    assert (await desk.get(path))["alert_received_count"] == 5
    assert (await desk.get(f"{path}?as_of=2026-11-22T09:00:00Z"))["alert_received_count"] is None
    by_hand = await desk.open()
    assert (await desk.get(f"/incidents/{by_hand}"))["alert_received_count"] is None


async def test_each_incident_counts_its_own_firings(desk: Desk) -> None:
    await desk.webhook(alert())
    await desk.webhook(alert())
    [first] = (await desk.get("/incidents"))["items"]
    await desk.post(f"/incidents/{first['id']}/resolve", {"responsibility": "provider", "resolution": "fixed"})
    await desk.webhook(alert(status="resolved"))
    desk.pass_time(minutes=2)
    await desk.webhook(alert())
    [second, _] = (await desk.get("/incidents"))["items"]
    assert (await desk.get(f"/incidents/{first['id']}"))["alert_received_count"] == 2
    assert (await desk.get(f"/incidents/{second['id']}"))["alert_received_count"] == 1


async def test_what_nobody_needs_any_more_is_forgotten_as_new_alerts_come(desk: Desk) -> None:
    await desk.webhook(alert("old"), alert("still"), 5)
    desk.pass_time(days=60)
    await desk.webhook(alert("still"), 6)
    desk.pass_time(days=31)
    await desk.webhook(alert("new"))
    rows = await desk.pool.fetch("select fingerprint, count from alert_intake order by fingerprint")
    assert [tuple(row) for row in rows] == [("new", 1), ("still", 2)]
    assert [row["body"] for row in await desk.pool.fetch("select body from intake_reject")] == [b"6"]
    assert (await desk.webhook(alert("old")))["repeated"] == 1, "a forgotten count does not open an incident again"


async def test_the_number_of_the_day_is_shown_to_metrics(desk: Desk) -> None:
    await desk.webhook(5, 6)
    assert await kept_aside.of_the_day(desk.pool, desk.running.clock.now()) == 2
    desk.pass_time(hours=25)
    assert await kept_aside.of_the_day(desk.pool, desk.running.clock.now()) == 0


async def test_labels_that_are_no_ids_are_put_aside_and_the_alert_goes_in(desk: Desk) -> None:
    labels = {
        "team": "网络 组",
        "organisation": "Acme Corp",
        "service": "a\nb",
        "instance": "db-01:9100",
        "category": " ",
    }
    await desk.webhook(alert("odd", labels=labels), alert("long", labels={"team": "x" * 300, "service": "x" * 300}))
    odd, long = (await desk.get("/incidents?sort=opened"))["items"]
    assert (odd["state"], odd["team"], odd["organisation"], odd["service"]) == ("new", None, None, None)
    assert odd["configuration_item"] == "db-01:9100"
    assert "team: 网络 组" in (await desk.get(f"/incidents/{odd['id']}"))["description"]
    assert (long["state"], long["team"], long["service"]) == ("new", None, None)


async def test_a_machine_of_the_intake_sends_alerts_and_does_nothing_else(desk: Desk) -> None:
    intake = desk.headers("intake", subject="alertmanager-1")
    assert (await desk.webhook(alert(), headers=intake))["opened"] == 1
    for path in ("/incidents", "/incidents/INC0000001", "/incidents/INC0000001/events"):
        await desk.get(path, headers=intake, status=403)
    report = {"title": "x", "impact": 1, "urgency": 1}
    headers = {**intake, "Idempotency-Key": "a"}
    await desk.post("/incidents", report, headers=headers, status=403)
