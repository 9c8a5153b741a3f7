"""From other contexts' events to deliveries: who, in which words, once, and whatever the order between contexts."""

import random
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.support.notifying import (
    DUE,
    SUBJECT,
    Foreign,
    Notify,
    assigned,
    breached,
    notify_service,
    opened,
    resolved,
    warned,
)

from notify.app import SERVICE
from notify.domain.facts import NOTIFIABLE
from notify.projections.deliveries import DELIVERIES
from notify.projections.incident_subject import INCIDENT_SUBJECT
from notify.seeds import plant
from opsledger_events import Envelope, event_class
from opsledger_events.contexts.incident import (
    HistoryImportCompleted,
    IncidentAssigned,
    IncidentCancelled,
    IncidentGrouped,
    IncidentNoted,
    IncidentPrioritised,
    IncidentStarted,
)
from opsledger_events.contexts.sla import SLABreachWithdrawn
from opsledger_runtime.migrations import MigrationSet
from opsledger_runtime.projections import digest


async def told(notify: Notify) -> list[tuple[str, str, str | None, str]]:
    items = (await notify.get("/deliveries?limit=200"))["items"]
    return sorted((item["rule"], item["contact"], item["team"], item["language"]) for item in items)


async def test_a_breach_tells_the_team_and_the_assignee_once_each(notify: Notify) -> None:
    (cause,) = await notify.tell(breached())
    assert await told(notify) == [
        ("sla-breached", "ann-lee", "network", "en"),
        ("sla-breached", "li-wei", "network", "zh-CN"),
    ]
    requested = await notify.events("NotificationRequested")
    assert {event.causationid for event in requested} == {str(cause.id)}
    assert {event.organisation for event in requested} == {"acme"}
    assert {event.partitionkey for event in requested} == {SUBJECT["incident"]}
    assert requested[0].data["values"]["number"] == "INC0000042"
    assert not any("李伟" in str(event.data) or "@" in str(event.data) for event in requested)


async def test_assigning_tells_the_team_and_resolving_the_requester(notify: Notify) -> None:
    await notify.tell(opened(), assigned(), resolved())
    assert (await notify.get("/unroutable"))["items"][0]["rule"] == "incident-opened"
    assert [(rule, who) for rule, who, _, _ in await told(notify)] == [
        ("incident-assigned", "ann-lee"),
        ("incident-assigned", "li-wei"),
        ("incident-resolved", "wang-fang"),
    ]


async def test_the_same_event_twice_requests_nothing_new(notify: Notify) -> None:
    envelopes = await notify.tell(opened(), assigned(), breached(), warned(), resolved())
    before = await told(notify)
    for _ in range(2):
        await notify.receive(*envelopes)
    assert await told(notify) == before


async def test_a_repeat_after_a_rule_changed_adds_only_who_is_new(notify: Notify) -> None:
    """A count of recipients in the command id would have met another delivery's id here."""
    (cause,) = await notify.tell(breached(team=None))
    body = {"event_type": "sla.SLABreached.v1", "recipients": ["team:network", "requester"], "template": "sla-breached"}
    answer = await notify.ask("PUT", "/rules/sla-breached", body, **{"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text
    await notify.receive(cause)
    assert [who for _, who, _, _ in await told(notify)] == ["ann-lee", "li-wei", "wang-fang"]


async def test_an_sla_event_needs_nothing_from_the_incident_service(notify: Notify) -> None:
    await notify.tell(warned())
    assert await notify.pool.fetchval("select count(*) from incident_subject") == 0
    assert len(await told(notify)) == 2


async def test_imported_events_notify_nobody_but_are_known(notify: Notify) -> None:
    for event in (opened(), assigned(), breached()):
        await notify.receive(notify.foreign.event(event, importid="import-1"))
    assert await told(notify) == []
    assert await notify.pool.fetchval("select team from incident_subject") == "network"
    assert (await notify.get("/unroutable"))["items"] == []


async def test_no_rule_applies_to_anything_imported(notify: Notify) -> None:
    """Neither to incidents nor to their clocks; the same events of today would tell somebody."""
    types = {row["event_type"] for row in (await notify.get("/rules"))["items"]}
    assert {kind.partition(".")[0] for kind in types} == {"incident", "sla"}
    examples = [event_class(kind).read(event_class(kind).example) for kind in sorted(types)]
    for event in examples:
        await notify.receive(notify.foreign.event(event, importid="servicenow-1"))
    assert await notify.pool.fetchval("select count(*) from es.event where type like 'notify.Notification%'") == 0
    for event in examples:
        await notify.receive(notify.foreign.event(event))
    assert await notify.pool.fetchval("select count(*) from es.event where type like 'notify.Notification%'") > 0


def test_the_end_of_an_import_is_nothing_to_be_notified_of() -> None:
    assert HistoryImportCompleted.type_name not in NOTIFIABLE


async def test_a_provisional_breach_is_requested_with_its_doubt(notify: Notify) -> None:
    await notify.tell(breached(provisional=True), SLABreachWithdrawn(**SUBJECT, due_at=DUE, because="late"))
    requested = await notify.events("NotificationRequested")
    assert {(event.data["rule"], event.data["values"].get("provisional")) for event in requested} == {
        ("sla-breached", True),
        ("sla-breach-withdrawn", None),
    }


async def test_r83_a_vendors_breach_is_told_to_its_team_and_to_the_desk_and_never_to_the_requester(
    notify: Notify,
) -> None:
    people = {"name": "服务台", "members": ["wang-fang"]}
    assert (await notify.ask("PUT", "/teams/service-desk", people, **{"If-Match": '"1"'})).status_code == 200
    gone_on = {"team": "field", "assignee": "ann-lee", "requester": "ann-lee"}
    await notify.tell(breached(kind="ola", party="network", metric="ownership", **gone_on))
    assert await told(notify) == [
        ("sla-breached", "ann-lee", "network", "en"),
        ("sla-breached", "li-wei", "network", "zh-CN"),
    ]
    await notify.tell(breached(kind="uc", party="vendor-x", **{**gone_on, "requester": "li-wei"}))
    await notify.tell(breached(kind="uc", party=None, team=None, assignee=None, requester="li-wei"))
    assert (await told(notify))[2:] == [("sla-breached", "wang-fang", "service-desk", "zh-CN")] * 2
    assert (await notify.get("/unroutable"))["items"] == []


async def test_a_rule_that_names_the_requester_keeps_internal_targets_from_them(notify: Notify) -> None:
    body = {"event_type": "sla.SLABreached.v1", "recipients": ["requester"], "template": "sla-breached"}
    assert (await notify.ask("PUT", "/rules/sla-breached", body, **{"If-Match": '"1"'})).status_code == 200
    for kind in ("ola", "uc"):
        await notify.tell(breached(kind=kind, party="network"))
    assert await told(notify) == []
    assert (await notify.get("/unroutable"))["items"] == []
    await notify.tell(breached())
    assert await told(notify) == [("sla-breached", "wang-fang", None, "zh-CN")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"team": None, "assignee": None},
            "the incident names no team; the incident names no assignee; "
            "team service-desk has no active member with an address",
        ),
        (
            {"team": "ghosts", "assignee": "nobody"},
            "team ghosts is unknown; assignee nobody is not an active contact with an address; "
            "team service-desk has no active member with an address",
        ),
    ],
)
async def test_what_reaches_nobody_is_visible(notify: Notify, changes: dict[str, Any], reason: str) -> None:
    (cause,) = await notify.tell(breached(**changes))
    await notify.receive(cause)
    (item,) = (await notify.get(f"/unroutable?incident={SUBJECT['number']}"))["items"]
    assert (item["rule"], item["cause"], item["reason"]) == ("sla-breached", str(cause.id), reason)
    assert await told(notify) == []


async def test_the_service_desk_is_told_of_what_nobody_has_taken(notify: Notify) -> None:
    desk = await notify.get("/teams/service-desk")
    assert desk["members"] == []
    body = {"name": desk["name"], "members": ["wang-fang"]}
    assert (await notify.ask("PUT", "/teams/service-desk", body, **{"If-Match": '"1"'})).status_code == 200
    nobody = {"team": None, "assignee": None}
    await notify.tell(opened(), warned(**nobody), breached(**nobody), breached(assignee=None))
    assert await told(notify) == [
        ("incident-opened", "wang-fang", "service-desk", "zh-CN"),
        ("sla-breached", "ann-lee", "network", "en"),
        ("sla-breached", "li-wei", "network", "zh-CN"),
        ("sla-breached", "wang-fang", "service-desk", "zh-CN"),
        ("sla-warning", "wang-fang", "service-desk", "zh-CN"),
    ]
    assert (await notify.get("/unroutable"))["items"] == []


NOTED = {"subject": "{{ number }}", "body": "{{ text }}", "event_type": "incident.IncidentNoted.v1"}


async def test_a_requester_is_not_told_of_a_note_that_is_not_public(notify: Notify) -> None:
    assert (await notify.ask("POST", "/wordings/noted/zh-CN", NOTED)).status_code == 201
    rule = {"event_type": NOTED["event_type"], "recipients": ["requester"], "template": "noted"}
    assert (await notify.ask("PUT", "/rules/noted", rule)).status_code == 201
    _, internal, public = await notify.tell(opened(), IncidentNoted(text="内部"), IncidentNoted(text="x", public=True))
    (item,) = (await notify.get("/deliveries"))["items"]
    assert (item["contact"], item["cause"]) == ("wang-fang", str(public.id))
    assert str(internal.id) not in str((await notify.get("/unroutable"))["items"])


async def test_a_request_holds_no_more_than_its_wording_shows(notify: Notify) -> None:
    await notify.tell(opened(description="病人姓名"), resolved("更换光模块"))
    (requested,) = await notify.events("NotificationRequested")
    assert requested.data["values"]["resolution"] == "更换光模块"
    assert "description" not in requested.data["values"]
    assert "organisation" not in requested.data["values"]


async def test_a_rules_language_comes_before_the_readers(notify: Notify) -> None:
    rule = await notify.get("/rules/sla-breached")
    body = {key: value for key, value in rule.items() if key not in ("key", "revision")} | {"language": "en"}
    answer = await notify.ask("PUT", "/rules/sla-breached", body, **{"If-Match": '"1"'})
    assert (answer.status_code, answer.json()["language"]) == (200, "en")
    await notify.tell(breached(), warned())
    assert [(rule, who, language) for rule, who, _, language in await told(notify)] == [
        ("sla-breached", "ann-lee", "en"),
        ("sla-breached", "li-wei", "en"),
        ("sla-warning", "ann-lee", "en"),
        ("sla-warning", "li-wei", "zh-CN"),
    ]


async def test_an_inactive_contact_is_passed_over(notify: Notify) -> None:
    body = {"name": "Ann", "email": "ann@example.com", "language": "en", "active": False}
    answer = await notify.ask("PUT", "/contacts/ann-lee", body, **{"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text
    await notify.tell(breached())
    assert [who for _, who, _, _ in await told(notify)] == ["li-wei"]


async def test_an_inactive_rule_tells_nobody(notify: Notify) -> None:
    rule = await notify.get("/rules/sla-breached")
    body = {key: rule[key] for key in ("event_type", "recipients", "template")} | {"active": False}
    await notify.ask("PUT", "/rules/sla-breached", body, **{"If-Match": '"1"'})
    await notify.tell(breached())
    assert await told(notify) == []
    assert (await notify.get("/unroutable"))["items"] == []


async def test_the_wording_is_frozen_when_the_notice_is_decided(notify: Notify) -> None:
    await notify.tell(breached())
    answer = await notify.ask("POST", "/wordings/sla-breached/zh-CN", {"subject": "新：{{ number }}", "body": "新"})
    assert answer.status_code == 201, answer.text
    await notify.tell(breached())
    items = (await notify.get("/deliveries?contact=li-wei"))["items"]
    assert sorted(item["wording_version"] for item in items) == [1, 2]


def story(rng: random.Random) -> list[Envelope]:
    """Forty incidents of two contexts, each context in its own order."""
    foreign = Foreign()
    found = []
    for n in range(40):
        incident = f"incident-{n}"
        team = rng.choice(["network", "ghosts", None])
        about = {
            "incident": incident,
            "number": f"INC{n:07d}",
            "team": team,
        }
        found.append(foreign.event(opened(number=about["number"], title=f"故障 {n}"), incident))
        found.append(foreign.event(assigned(team or "desk", rng.choice(["li-wei", None])), incident))
        found.append(foreign.event(IncidentStarted(assignee=rng.choice(["ann-lee", None])), incident))
        found.append(foreign.event(warned(**about), incident))
        found.append(foreign.event(IncidentPrioritised(impact=2, urgency=2, priority=2, previous_priority=1), incident))
        found.append(foreign.event(breached(**about, provisional=rng.random() < 0.3), incident))
        last = IncidentCancelled(reason="twice") if rng.random() < 0.2 else resolved()
        found.append(foreign.event(last, incident))
    return found


def shuffled(envelopes: list[Envelope], rng: random.Random) -> list[Envelope]:
    """Another order between the contexts; each keeps its own."""
    queues = [[e for e in envelopes if e.context == context] for context in ("incident", "sla")]
    found = []
    while any(queues):
        queue = rng.choice([queue for queue in queues if queue])
        found.append(queue.pop(0))
    return found


async def test_any_order_between_contexts_gives_the_same_digests(notify: Notify) -> None:
    envelopes = story(random.Random(7))
    found = set()
    for seed in range(4):
        order = shuffled(envelopes, random.Random(seed))
        for start in range(0, len(order), 37):
            await notify.receive(*order[start : start + 37])
        async with notify.pool.acquire() as connection:
            found.add(tuple([await digest(connection, p, "notify") for p in (INCIDENT_SUBJECT, DELIVERIES)]))
        assert await notify.pool.fetchval("select count(*) from delivery") > 50
        assert await notify.pool.fetchval("select count(*) from unroutable") > 10
        await notify.pool.execute("truncate incident_subject, delivery, delivery_work, unroutable")
        await notify.pool.execute("truncate es.outbox")
        await notify.pool.execute("delete from es.event where type like '%.Notification%'")
    assert len(found) == 1


async def test_a_rebuild_from_own_events_gives_the_same_rows(notify: Notify) -> None:
    await notify.tell(opened(), assigned(), breached(), breached(team=None, assignee=None))
    rows = await notify.pool.fetch(
        "select body from es.event join es.outbox on outbox.event = event.id order by position"
    )
    envelopes = [Envelope.from_json(row["body"]) for row in rows]
    connection = await asyncpg.connect(notify.database)
    try:
        await connection.execute("create schema rebuilt; set search_path = rebuilt")
        for script in MigrationSet("notify", ("rebuilt",)).scripts():
            await connection.execute(script.read_text())
        for projection in SERVICE.inline:
            await projection.apply(connection, [e for e in envelopes if e.type_name in projection.reads])
            assert await digest(connection, projection, "rebuilt") == await digest(connection, projection, "notify")
    finally:
        await connection.close()


async def test_seeds_are_planted_once_and_changes_stay(database: str, tmp_path: Path) -> None:
    async with notify_service(database, tmp_path) as notify:
        body = {"subject": "我们的：{{ number }}", "body": "正文"}
        assert (await notify.ask("POST", "/wordings/sla-breached/zh-CN", body)).status_code == 201
        before = await notify.pool.fetchval("select count(*) from es.event")
        await plant(notify.running.store)
        assert await notify.pool.fetchval("select count(*) from es.event") == before
        (latest,) = (await notify.get("/wordings?template=sla-breached&language=zh-CN"))["items"]
        assert (latest["version"], latest["subject"]) == (2, "我们的：{{ number }}")
        everything = (await notify.get("/wordings?versions=all&limit=200"))["items"]
        assert len(everything) == 17


async def test_an_incident_that_opens_under_its_cause_calls_nobody_again(notify: Notify) -> None:
    await notify.tell(opened(parent="cause"), IncidentAssigned(team="network", parent="cause"))
    await notify.tell(IncidentGrouped(parent="cause", parent_number="INC0000041", path=["shop", "db"]))
    assert await told(notify) == []
    assert (await notify.get("/unroutable"))["items"] == []
    assert await notify.pool.fetchval("select team from incident_subject") == "network"
    await notify.tell(assigned("network"), breached())
    assert {rule for rule, _, _, _ in await told(notify)} == {"incident-assigned", "sla-breached"}
