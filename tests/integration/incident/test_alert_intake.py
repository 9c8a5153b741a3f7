"""Alertmanager's webhook: durable before the answer, repeats counted, one incident for one fingerprint."""

import asyncio
import json
from typing import Any

import pytest
from tests.support.incident_desk import BASE, Desk, alert

COUNTS = ("received", "opened", "repeated", "changed", "rejected")


def counts(answer: dict[str, Any]) -> dict[str, int]:
    assert answer["received"] == sum(answer[name] for name in COUNTS[1:])
    return {name: answer[name] for name in COUNTS[1:] if answer[name]}


async def incidents(desk: Desk) -> list[Any]:
    return list((await desk.get("/incidents?sort=opened"))["items"])


async def names(desk: Desk, incident: str) -> list[str]:
    return [envelope.name for envelope in await desk.events(incident)]


async def test_a_firing_alert_opens_an_incident(desk: Desk) -> None:
    labels = {"team": "network", "service": "core-network", "organisation": "acme", "category": "network"}
    answer = await desk.webhook(alert(labels=labels, annotations={"description": "端口 12 中断"}))
    assert answer == {**dict.fromkeys(COUNTS, 0), "received": 1, "opened": 1, "rejections": []}
    [listed] = await incidents(desk)
    assert listed["title"] == "核心交换机 sw-core-01 端口中断"
    assert (listed["impact"], listed["urgency"], listed["priority"]) == (1, 1, 1)
    assert (listed["state"], listed["team"], listed["channel"]) == ("assigned", "network", "monitoring")
    assert (listed["service"], listed["configuration_item"]) == ("core-network", "sw-core-01")
    assert (listed["organisation"], listed["alert_state"]) == ("acme", "firing")
    assert listed["opened_at"] == "2026-11-22T08:30:00.000000Z"
    opened, assigned = await desk.events(listed["id"])
    assert opened.data["alert_started_at"] == "2026-11-22T08:20:00.123456Z"
    assert (opened.data["alert_source"], opened.actor, assigned.name) == ("alertmanager",) * 2 + ("IncidentAssigned",)
    assert {opened.organisation, assigned.organisation} == {"acme"}
    detail = await desk.get(f"/incidents/{listed['id']}")
    assert detail["description"].startswith("端口 12 中断\n\n")
    assert "alertname: PortDown" in detail["description"]


async def test_a_repeat_is_counted_and_nothing_else(desk: Desk) -> None:
    await desk.webhook(alert())
    for _ in range(3):
        desk.pass_time(hours=4)
        assert counts(await desk.webhook(alert())) == {"repeated": 1}
    row = await desk.pool.fetchrow("select count, last_received - first_received as span from alert_intake")
    assert (row["count"], row["span"].total_seconds()) == (4, 12 * 3600)
    assert await desk.pool.fetchval("select count(*) from es.event") == 1


async def test_the_same_alert_twice_in_one_batch_is_a_repeat(desk: Desk) -> None:
    assert counts(await desk.webhook(alert(), alert(), alert())) == {"opened": 1, "repeated": 2}
    assert await desk.pool.fetchval("select count from alert_intake") == 3


async def test_a_resolved_alert_annotates_by_default(desk: Desk) -> None:
    await desk.webhook(alert())
    desk.pass_time(minutes=5)
    assert counts(await desk.webhook(alert(status="resolved"), status=202)) == {"changed": 1}
    assert counts(await desk.webhook(alert(status="resolved"))) == {"repeated": 1}
    [listed] = await incidents(desk)
    assert (listed["state"], listed["alert_state"]) == ("new", "resolved")
    _, changed = await desk.events(listed["id"])
    assert changed.data == {
        "fingerprint": "d1a7c3e9b5e6a0f3",
        "state": "resolved",
        "occurred_at": "2026-11-22T08:29:00Z",
    }


async def test_a_resolved_alert_resolves_where_configured(resolving: Desk) -> None:
    await resolving.webhook(alert())
    assert counts(await resolving.webhook(alert(status="resolved"))) == {"changed": 1}
    [listed] = await incidents(resolving)
    assert (listed["state"], listed["responsibility"]) == ("resolved", "third_party")
    assert listed["resolution"] == "The alert stopped firing."
    assert await names(resolving, listed["id"]) == ["IncidentOpened", "IncidentAlertStateChanged", "IncidentResolved"]


async def test_an_alert_that_fires_again_while_its_incident_is_open_opens_no_second(desk: Desk) -> None:
    await desk.webhook(alert())
    await desk.webhook(alert(status="resolved"))
    again = alert(startsAt="2026-11-22T08:29:30Z")
    assert counts(await desk.webhook(again)) == {"changed": 1}
    [listed] = await incidents(desk)
    assert listed["alert_state"] == "firing"
    assert await names(desk, listed["id"]) == ["IncidentOpened", *["IncidentAlertStateChanged"] * 2]


@pytest.mark.parametrize("ending", ["resolved", "closed", "cancelled"])
async def test_a_new_firing_after_the_end_opens_a_new_incident(desk: Desk, ending: str) -> None:
    await desk.webhook(alert())
    [first] = await incidents(desk)
    path = f"/incidents/{first['id']}"
    if ending == "cancelled":
        await desk.post(f"{path}/cancel", {"reason": "test"})
    else:
        await desk.post(f"{path}/resolve", {"responsibility": "provider", "resolution": "fixed"})
    if ending == "closed":
        await desk.post(f"{path}/close")
    assert counts(await desk.webhook(alert())) == {"repeated": 1}, "the old firing is no news"
    assert counts(await desk.webhook(alert(status="resolved"))) == {"changed": 1}
    desk.pass_time(hours=1)
    assert counts(await desk.webhook(alert(startsAt="2026-11-22T09:00:00Z"))) == {"opened": 1}
    both = await incidents(desk)
    assert [found["alert_fingerprint"] for found in both] == ["d1a7c3e9b5e6a0f3"] * 2
    assert both[1]["state"] == "new"


async def _end_before_beginning(desk: Desk) -> Any:
    assert counts(await desk.webhook(alert(status="resolved"))) == {"changed": 1}
    assert await incidents(desk) == []
    assert counts(await desk.webhook(alert())) == {"opened": 1}
    assert counts(await desk.webhook(alert(), alert(status="resolved"))) == {"repeated": 2}
    [listed] = await incidents(desk)
    return listed


async def test_an_end_that_arrives_before_its_beginning_annotates(desk: Desk) -> None:
    listed = await _end_before_beginning(desk)
    assert (listed["state"], listed["alert_state"]) == ("new", "resolved")


async def test_an_end_that_arrives_before_its_beginning_resolves_where_configured(resolving: Desk) -> None:
    listed = await _end_before_beginning(resolving)
    assert (listed["state"], listed["alert_state"]) == ("resolved", "resolved")


async def test_older_news_does_not_undo_newer(desk: Desk) -> None:
    newer = alert(startsAt="2026-11-22T08:25:00Z")
    await desk.webhook(newer)
    assert counts(await desk.webhook(alert(status="resolved"), alert())) == {"repeated": 2}
    [listed] = await incidents(desk)
    assert listed["alert_state"] == "firing"


async def test_a_clock_far_ahead_does_not_silence_later_alerts(desk: Desk) -> None:
    await desk.webhook(alert(startsAt="2036-01-01T00:00:00Z"))
    [first] = await incidents(desk)
    await desk.post(f"/incidents/{first['id']}/resolve", {"responsibility": "provider", "resolution": "clock"})
    await desk.webhook(alert(status="resolved", startsAt="2036-01-01T00:00:00Z"))
    assert counts(await desk.webhook(alert())) == {"opened": 1}


async def test_senders_do_not_share_fingerprints(desk: Desk) -> None:
    await desk.webhook(alert())
    other = desk.headers("integration", subject="alertmanager-of-globex")
    assert counts(await desk.webhook(alert(), headers=other)) == {"opened": 1}


async def test_one_unreadable_alert_does_not_keep_the_rest_out(desk: Desk) -> None:
    broken: list[Any] = [
        5,
        None,
        {},
        {"labels": "x"},
        {**alert(), "status": "odd"},
        {**alert(), "startsAt": "yesterday"},
        {**alert(), "startsAt": 17},
        {**alert(), "startsAt": "9999-12-31T23:59:59-14:00"},
        {**alert(), "fingerprint": "x" * 300},
    ]
    answer = await desk.webhook(*broken, alert("good"))
    assert counts(answer) == {"opened": 1, "rejected": len(broken)}
    assert [rejection["index"] for rejection in answer["rejections"]] == list(range(len(broken)))
    kept = await desk.pool.fetch("select source, reason, body from intake_reject order by id")
    assert [json.loads(row["body"]) for row in kept] == broken
    assert {row["source"] for row in kept} == {"alertmanager"}
    assert all(row["reason"].endswith(".") for row in kept)


async def test_missing_and_extra_fields_are_tolerated(desk: Desk) -> None:
    found = [
        {"labels": {"alertname": "NoFingerprint", "n": 5}, "startsAt": "2026-11-22T08:20:00Z"},
        {"fingerprint": "bare"},
        {**alert("grafana"), "silenceURL": "http://g", "values": {"B": 1.5}, "imageURL": None},
        {**alert("nulls"), "labels": None, "annotations": None, "generatorURL": None, "endsAt": None},
        {**alert("odd-end"), "endsAt": "never"},
        {**alert("offset"), "startsAt": "2026-11-22T16:20:00+08:00"},
    ]
    answer = await desk.webhook(*found, orgId=1, state="alerting", truncatedAlerts=3)
    assert counts(answer) == {"opened": 6}
    assert {item["title"] for item in await incidents(desk)} == {
        "NoFingerprint",
        "Alert bare",
        "Alert nulls",
        "核心交换机 sw-core-01 端口中断",
    }
    assert counts(await desk.webhook(found[0])) == {"repeated": 1}, "a fingerprint follows from the labels"


@pytest.mark.parametrize(
    ("severity", "levels"),
    [
        ("critical", (1, 1)),
        ("Critical ", (1, 1)),
        ("warning", (2, 2)),
        ("info", (3, 3)),
        ("page", (2, 2)),
        ("", (2, 2)),
    ],
)
async def test_severity_gives_impact_and_urgency(desk: Desk, severity: str, levels: tuple[int, int]) -> None:
    await desk.webhook(alert(labels={"severity": severity}))
    [listed] = await incidents(desk)
    assert (listed["impact"], listed["urgency"]) == levels


async def test_long_texts_are_cut_and_hostile_ones_are_kept(desk: Desk) -> None:
    await desk.webhook(alert("long", annotations={"summary": "警" * 500, "description": "d" * 50_000}))
    await desk.webhook(alert("blank", annotations={"summary": " \n"}))
    await desk.webhook(alert("sql", annotations={"summary": "'; drop table alert; --"}))
    titles = {item["title"] for item in await incidents(desk)}
    assert titles == {"警" * 199 + "…", "PortDown sw-core-01", "'; drop table alert; --"}


async def test_characters_that_cannot_be_stored_do_not_lose_the_alert(desk: Desk) -> None:
    token = desk.issuer.token("integration", subject="alertmanager")
    body = json.dumps({"version": "4", "alerts": [alert(annotations={"summary": "a\0b \ud800 c"})]})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    answer = await desk.http.post(f"{BASE}/alerts/alertmanager", content=body, headers=headers)
    assert answer.status_code == 202
    [listed] = await incidents(desk)
    assert listed["title"] == "a\ufffdb \ufffd c"


@pytest.mark.parametrize("body", [[], 5, "x", None, {}, {"version": "3"}, {"alerts": {}}, {"alerts": None}])
async def test_what_is_no_webhook_is_refused(desk: Desk, body: Any) -> None:
    headers = {"Authorization": f"Bearer {desk.issuer.token('integration')}"}
    refused = await desk.post("/alerts/alertmanager", body, status=422, headers=headers)
    assert refused["code"] in ("not_alertmanager", "invalid")


async def test_another_version_is_taken_if_its_shape_fits(desk: Desk) -> None:
    assert counts(await desk.webhook(alert(), version="5")) == {"opened": 1}
    assert counts(await desk.webhook()) == {}


async def test_only_integrations_send_alerts(desk: Desk) -> None:
    for role in ("requester", "agent", "lead", "operator", "analyst", "auditor"):
        await desk.webhook(alert(), status=403, headers=desk.headers(role))


async def test_a_sender_opens_only_for_its_organisations(desk: Desk) -> None:
    acme = desk.headers("integration", organisations=["acme"])
    both = desk.headers("integration", subject="both", organisations=["acme", "globex"])
    foreign = alert("foreign", labels={"organisation": "globex"})
    assert counts(await desk.webhook(foreign, alert("own"), headers=acme)) == {"opened": 1, "rejected": 1}
    assert [item["organisation"] for item in await incidents(desk)] == ["acme"]
    assert counts(await desk.webhook(foreign, alert("unnamed"), headers=both)) == {"opened": 1, "rejected": 1}
    assert await desk.pool.fetchval("select count(*) from intake_reject") == 2


async def test_simultaneous_webhooks_open_one_incident_for_a_fingerprint(desk: Desk) -> None:
    batches = [[alert(f"f{(start + offset) % 9}") for offset in range(9)] for start in range(8)]
    answers = await asyncio.gather(*(desk.webhook(*batch) for batch in batches))
    assert sum(answer["opened"] for answer in answers) == 9
    assert sum(answer["repeated"] for answer in answers) == 8 * 9 - 9
    assert len(await incidents(desk)) == 9
    assert await desk.pool.fetchval("select sum(count) from alert_intake") == 72


async def test_news_of_an_alert_and_work_on_its_incident_do_not_disturb_each_other(desk: Desk) -> None:
    await desk.webhook(*(alert(f"f{index}") for index in range(5)))
    opened = await incidents(desk)
    work = [desk.post(f"/incidents/{item['id']}/assign", {"team": "network"}) for item in opened]
    news = [desk.webhook(*(alert(f"f{index}", "resolved") for index in range(5))) for _ in range(3)]
    await asyncio.gather(*work, *news)
    assert {(item["state"], item["alert_state"], item["version"]) for item in await incidents(desk)} == {
        ("assigned", "resolved", 3)
    }


async def test_a_large_batch_goes_in_at_once(desk: Desk) -> None:
    batch = [alert(f"f{index:03d}", labels={"team": "network"}) for index in range(100)]
    assert counts(await desk.webhook(*batch)) == {"opened": 100}
    assert counts(await desk.webhook(*batch)) == {"repeated": 100}
    stamps = await desk.pool.fetchval("select count(distinct xmin::text) from es.event")
    assert stamps == 1, "one webhook is one transaction"


async def test_a_body_beyond_a_mebibyte_is_taken(desk: Desk) -> None:
    padding = {"description": "x" * 15_000}
    batch = [alert(f"f{index:03d}", annotations=padding) for index in range(100)]
    assert counts(await desk.webhook(*batch)) == {"opened": 100}
