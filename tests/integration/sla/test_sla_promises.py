"""Incident events in, promises made, reminded, kept, broken and withdrawn, on a real store."""

import random
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from tests.support.promising import Promises
from tests.support.service_levels import at

from opsledger_events import Envelope, Event
from opsledger_events.contexts.incident import (
    IncidentAssigned,
    IncidentCancelled,
    IncidentHeld,
    IncidentNoted,
    IncidentOpened,
    IncidentRequesterContacted,
    IncidentResolved,
    IncidentResumed,
)
from opsledger_runtime.projections import digest
from opsledger_runtime.rebuild import rebuilt_digest
from opsledger_runtime.settings import SettingsError
from sla.projections.incident_facts import INCIDENT_FACTS
from sla.reactors import handle
from sla.settings import PromiseSettings

SOLVED = IncidentResolved(responsibility="provider", resolution="更换光模块")
CALLED = IncidentRequesterContacted(channel="phone")
MISTAKE = IncidentCancelled(reason="重复")


def held(hours: float, **given: Any) -> IncidentHeld:
    return IncidentHeld(reason="awaiting_vendor", promised_at=at(hours), **given)


async def test_r18_a_public_note_that_promises_makes_a_promise(promises: Promises) -> None:
    await promises.open()
    note = await promises.note("您好，确定原因后再回复您。", 1)
    (made,) = await promises.events()
    assert made.subject != note.subject
    assert (made.partitionkey, made.organisation, made.causationid) == ("incident-1", "acme", str(note.id))
    assert {name: made.data[name] for name in ("source", "awaits", "text", "owner", "promised_by", "team")} == {
        "source": "wording",
        "awaits": "reply",
        "text": "确定原因后再回复您",
        "owner": "person-9",
        "promised_by": "person-9",
        "team": "network",
    }
    assert (made.data["due_at"], made.data["remind_at"]) == ("2026-11-23T04:00:00Z", "2026-11-23T03:30:00Z")
    assert (made.data["due_by_default"], made.data["calendar_revision"]) == (True, 1)
    assert await promises.timers() == {"reminder": at(2.5), "break": at(3)}


async def test_r18_what_the_words_say_of_when_counts(promises: Promises) -> None:
    await promises.open()
    await promises.note("We will call you back within 3 hours. It will be fixed by 20:00.", 1)
    reply, completion = await promises.events()
    assert (reply.data["awaits"], reply.data["due_at"]) == ("reply", "2026-11-23T05:00:00Z")
    assert (completion.data["awaits"], completion.data["due_at"]) == ("completion", "2026-11-23T20:00:00Z")
    assert reply.data["due_by_default"] is completion.data["due_by_default"] is False


@pytest.mark.parametrize(
    ("text", "public"), [("尽快回复您", False), ("请尽快回复", True), ("已处理", True), ("", True)]
)
async def test_r18_internal_notes_and_other_words_promise_nothing(promises: Promises, text: str, public: bool) -> None:
    await promises.open()
    await promises.note(text, 1, public=public)
    assert await promises.events() == []


async def test_r18_a_promise_to_reply_is_kept_by_the_next_word_to_the_requester(promises: Promises) -> None:
    await promises.open()
    await promises.note("尽快回复您", 1)
    await promises.note("内部：还在查", 1.2, public=False)
    await promises.tell(SOLVED, 1.3)
    assert await promises.names() == ["Made@1"]
    await promises.note("已更换光模块", 1.5)
    await promises.tell(CALLED, 1.6)
    assert await promises.names() == ["Made@1", "Kept@1.5"]
    assert await promises.timers() == {}
    shown = await promises.only(hours=2)
    assert (shown["state"], shown["broken"], shown["late_seconds"]) == ("kept", False, 0)


async def test_r18_a_note_that_promises_again_keeps_the_promise_before(promises: Promises) -> None:
    await promises.open()
    await promises.note("稍后回复您", 1)
    await promises.note("仍在排查，会尽快回复您", 2)
    assert await promises.names() == ["Made@1", "Kept@2", "Made@2"]


async def test_the_requesters_own_words_neither_promise_nor_keep(promises: Promises) -> None:
    await promises.open()
    await promises.note("尽快回复您", 1)
    await promises.tell(IncidentNoted(text="我会在今天内回复您", public=True), 1.5, actor="person-17")
    assert await promises.names() == ["Made@1"]


async def test_r18_a_promise_to_be_done_is_kept_by_the_resolution_alone(promises: Promises) -> None:
    await promises.open()
    await promises.note("我们会在2小时内修复", 1)
    await promises.note("正在更换", 1.5)
    await promises.tell(SOLVED, 2.5)
    assert await promises.names() == ["Made@1", "Kept@2.5"]


@pytest.mark.parametrize("ends", [IncidentResumed(), SOLVED])
async def test_r13_a_hold_with_a_date_is_a_promise_kept_by_going_on(promises: Promises, ends: Event) -> None:
    await promises.open()
    await promises.tell(held(50, promised="周三上午带备件再来"), 2)
    (made,) = await promises.events()
    expected = {"source": "hold", "awaits": "return", "reason": "awaiting_vendor", "owner": "person-3"}
    assert expected.items() <= made.data.items()
    assert (made.data["text"], made.data["due_at"]) == ("周三上午带备件再来", "2026-11-25T03:00:00Z")
    await promises.note("备件已到", 20)
    await promises.tell(ends, 49)
    await promises.fire_until(60)
    assert await promises.names() == ["Made@2", "Kept@49"]
    assert await promises.timers() == {}


async def test_r13_a_hold_without_a_date_or_with_one_that_has_passed_promises_nothing(promises: Promises) -> None:
    await promises.open()
    await promises.tell(IncidentHeld(reason="awaiting_vendor"), 2)
    await promises.tell(IncidentResumed(), 3)
    await promises.tell(held(3), 4)
    assert await promises.events() == []


async def test_r13_r18_reminder_and_breach_are_announced_at_their_instants(promises: Promises) -> None:
    await promises.open()
    await promises.tell(held(10, promised="下午再来"), 2)
    await promises.tell(IncidentAssigned(team="vendor"), 9)
    await promises.fire_until(20)
    assert await promises.names() == ["Made@2", "ReminderReached@8", "Broken@10"]
    made, reminder, broken = await promises.events()
    assert (reminder.data["team"], broken.data["team"], broken.data["owner"]) == ("vendor", "vendor", "person-3")
    assert broken.data["provisional"] is False
    assert broken.correlationid == made.correlationid == "story-incident-1"
    assert await promises.timers() == {}
    shown = await promises.only(hours=20)
    assert (shown["state"], shown["break_announced"]) == ("broken", True)
    await promises.tell(IncidentResumed(), 26)
    kept = (await promises.events())[-1]
    assert (kept.name, kept.data["late_seconds"], kept.data["broken"]) == ("PromiseKept", 16 * 3600, True)
    shown = await promises.only(hours=30)
    assert (shown["state"], shown["broken"], shown["late_seconds"]) == ("kept", True, 16 * 3600)


async def test_a_breach_that_no_timer_told_yet_is_announced_before_what_came_after(promises: Promises) -> None:
    await promises.open()
    await promises.tell(held(10), 2)
    await promises.tell(IncidentResumed(), 12)
    expected = ["Made@2", "Broken@10", "Kept@12"]
    assert await promises.names() == expected
    await promises.fire_until(30)
    assert await promises.names() == expected


async def test_nothing_is_announced_for_what_was_kept_in_time_but_told_late(promises: Promises) -> None:
    await promises.open()
    made = promises.told(held(10), 2)
    gone_on = promises.told(IncidentResumed(), 9.5, recordedtime=at(14))
    await promises.hand_over(made, gone_on, known=15)
    await promises.fire_until(30)
    assert await promises.names() == ["Made@2", "Kept@9.5"]


async def test_a_breach_is_taken_back_where_keeping_in_time_is_told_after_it(promises: Promises) -> None:
    await promises.open()
    await promises.note("2小时内回复您", 1)
    await promises.fire_until(4, provisional=True)
    assert (await promises.events())[-1].data["provisional"] is True
    await promises.hand_over(promises.told(CALLED, 2.5, recordedtime=at(5)))
    assert (await promises.names())[-3:] == ["Broken@3", "BreachWithdrawn@2.5", "Kept@2.5"]
    shown = await promises.only(hours=6)
    assert (shown["state"], shown["broken"], shown["provisional"]) == ("kept", False, False)


async def test_a_cancelled_incident_owes_nothing(promises: Promises) -> None:
    await promises.open()
    await promises.tell(held(10), 2)
    await promises.note("尽快回复您", 3)
    await promises.tell(MISTAKE, 4)
    assert sorted(await promises.names()) == ["Made@2", "Made@3", "Withdrawn@4", "Withdrawn@4"]
    assert await promises.timers() == {}
    assert {one.data["explanation"] for one in await promises.events("Withdrawn")} == {"incident_cancelled"}


async def test_an_incident_whose_opening_is_unknown_has_no_promise(promises: Promises) -> None:
    await promises.note("尽快回复您", 1, "stranger")
    await promises.tell(IncidentAssigned(team="network"), 2, "stranger")
    assert await promises.events() == []


async def test_an_import_promises_nothing_but_may_keep(promises: Promises) -> None:
    await promises.open()
    await promises.tell(IncidentNoted(text="尽快回复您", public=True), 1, importid="import-1")
    await promises.tell(held(9), 1, importid="import-1")
    assert await promises.events() == []
    await promises.note("尽快回复您", 2)
    await promises.tell(IncidentNoted(text="已回复", public=True), 3, importid="import-1")
    (kept,) = await promises.events("Kept")
    assert kept.importid == "import-1"


async def test_what_is_read_twice_has_one_effect(promises: Promises) -> None:
    await promises.open()
    batch = [promises.told(IncidentNoted(text="尽快回复您", public=True), 1), promises.told(CALLED, 2)]
    await promises.hand_over(*batch)
    await promises.hand_over(*batch)
    await promises.hand_over(batch[0])
    assert await promises.names() == ["Made@1", "Kept@2"]


async def test_one_batch_or_many_leave_the_same_promises(promises: Promises) -> None:
    story: list[tuple[Event, float]] = [
        (IncidentNoted(text="我们会在2小时内修复，尽快回复您", public=True), 1),
        (CALLED, 1.5),
        (held(30), 2),
        (IncidentNoted(text="明天上午给您答复", public=True), 4),
        (IncidentResumed(), 33),
        (SOLVED, 40),
    ]
    shown: dict[str, list[str]] = {}
    for incident, number in (("one", "INC0000001"), ("many", "INC0000002")):
        await promises.open(incident, number)
        envelopes = [promises.told(event, hours, incident) for event, hours in story]
        if incident == "one":
            await promises.hand_over(*envelopes)
        else:
            for envelope in envelopes:
                await promises.fire_until((envelope.time - at(0)) / timedelta(hours=1) - 0.01)
                await promises.hand_over(envelope)
        await promises.fire_until(60)
        listed = (await promises.get(f"/promises?incident={incident}", hours=100))["items"]
        shown[incident] = [f"{one['awaits']} {one['state']} {one['due_at']} {one['broken_at']}" for one in listed]
    assert shown["one"] == shown["many"]
    assert len(shown["one"]) == 4


async def test_read_models_are_the_same_when_rebuilt(promises: Promises) -> None:
    chance = random.Random(18)
    acts: list[Event] = [CALLED, IncidentResumed(), SOLVED, MISTAKE, IncidentNoted(text="稍后回复您", public=True)]
    known: list[Envelope] = []
    for n in range(6):
        incident = f"incident-{n}"
        opened = IncidentOpened(number=f"INC{n}", title="x", impact=1, urgency=1, priority=1, organisation="acme")
        known.append(await promises.tell(opened, 0, incident))
        known.append(await promises.tell(IncidentAssigned(team=f"team-{n}", assignee="person-3"), 0.5, incident))
        known.append(await promises.tell(held(n + 3), 1, incident))
        for hours in (2, 5, 9):
            known.append(await promises.tell(chance.choice(acts), hours, incident))
            await promises.fire_until(hours)
    assert await promises.levels.rebuild() == await promises.levels.digests()

    async def batches() -> AsyncIterator[Sequence[Envelope]]:
        for first in range(0, len(known), 3):
            yield known[first : first + 3]

    async with promises.pool.acquire() as connection:
        live = await digest(connection, INCIDENT_FACTS, "sla")
        assert await rebuilt_digest(connection, INCIDENT_FACTS, "sla", batches()) == live


async def test_events_without_promises_cost_one_look_where_they_may_settle_one_and_none_elsewhere(
    promises: Promises,
) -> None:
    statements: list[str] = []
    opened = [
        promises.told(IncidentOpened(number=f"INC{n:07}", title="x", impact=1, urgency=1, priority=1), 0, f"i-{n}")
        for n in range(50)
    ]
    notes = [promises.told(IncidentNoted(text="重启后恢复", public=True), 1, f"i-{n}") for n in range(50)]
    assigned = [promises.told(IncidentAssigned(team="network"), 0.5, f"i-{n}") for n in range(50)]
    for batch, looks in ((opened + assigned, 0), (notes, 1)):
        statements.clear()
        async with promises.levels.running.store.transaction() as tx:
            with tx.connection.query_logger(lambda query: statements.append(query.query)):
                await handle(tx, batch)
        assert len([one for one in statements if "promise" in one]) == looks


def test_r18_settings_are_read_and_checked() -> None:
    found = PromiseSettings.read({"OPSLEDGER_SLA_PROMISE_REPLY_HOURS": "4"})
    assert (found.reply_hours, found.completion_hours, found.remind_percent) == (4, 8, 75)
    for name, text in (("REPLY_HOURS", "0"), ("REMIND_PERCENT", "100"), ("COMPLETION_HOURS", "x"), ("CALENDAR", "x")):
        with pytest.raises(SettingsError, match=name):
            PromiseSettings.read({f"OPSLEDGER_SLA_PROMISE_{name}": text})
