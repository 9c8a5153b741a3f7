"""Events to rows, without a database."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from tests.support.stories import Story, about, batches, interleaved, opened, random_story, started

from opsledger_events import Envelope, Event
from opsledger_events.contexts import incident as i
from opsledger_events.contexts import notify as n
from opsledger_events.contexts import sla as s
from reporting.domain.batch import Rows, fold, needed, read
from reporting.domain.days import date_key, whole_seconds
from reporting.domain.rows import ClockRow, IncidentRow, NotificationRow

T0 = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)


def at(seconds: int) -> datetime:
    return T0 + timedelta(seconds=seconds)


def folded(story: Story) -> Rows:
    rows = Rows()
    fold(rows, read(story.envelopes))
    return rows


def incident_after(*told: tuple[int, Event]) -> IncidentRow:
    story = Story()
    story.tell("a", opened(1), T0)
    for seconds, event in told:
        story.tell("a", event, at(seconds))
    return folded(story).incidents["a"]


def clock_after(*told: tuple[int, Event]) -> ClockRow:
    story = Story()
    story.tell("c", started(SAID, T0, 3600), T0)
    for seconds, event in told:
        story.tell("c", event, at(seconds))
    return folded(story).clocks["c"]


SAID = about("a", 1, "resolution")
RESOLVED = i.IncidentResolved(responsibility="customer", resolution="power was off")
ASSIGNED = i.IncidentAssigned(team="network")


def test_a_named_person_or_the_start_of_work_acknowledges_and_routing_to_a_team_does_not() -> None:
    taken = i.IncidentAssigned(team="network", assignee="person-3")
    row = incident_after((30, ASSIGNED), (60, taken), (90, i.IncidentStarted()), (120, ASSIGNED))
    assert (row.acknowledged_at, row.seconds_to_acknowledge) == (at(60), 60)
    assert incident_after((0, ASSIGNED), (90, i.IncidentStarted())).seconds_to_acknowledge == 90
    assert incident_after((90, i.IncidentStarted())).seconds_to_acknowledge == 90


def test_reassignment_counts_moves_between_teams_only() -> None:
    row = incident_after(
        (1, ASSIGNED),
        (2, i.IncidentAssigned(team="network", assignee="person-3")),
        (3, i.IncidentAssigned(team="database")),
    )
    assert (row.reassignment_count, row.team) == (1, "database")


def test_hold_seconds_are_those_of_ended_holds() -> None:
    held = i.IncidentHeld(reason="awaiting_requester")
    row = incident_after((10, i.IncidentStarted()), (20, held), (50, i.IncidentResumed()), (60, held))
    assert (row.held_seconds, row.held_since, row.state) == (30, at(60), "on_hold")
    row = incident_after((10, i.IncidentStarted()), (20, held), (50, RESOLVED))
    assert (row.held_seconds, row.held_since, row.state) == (30, None, "resolved")


def test_r16_responsibility_stands_until_reopened() -> None:
    assert incident_after((10, RESOLVED)).responsibility == "customer"
    assert incident_after((10, RESOLVED), (20, i.IncidentReopened(reason="again"))).responsibility is None


def test_reopening_takes_the_resolution_back() -> None:
    row = incident_after((10, RESOLVED), (20, i.IncidentReopened(reason="again")))
    assert (row.state, row.resolved_at, row.resolved_date_key, row.seconds_to_resolve) == ("new", None, -1, None)
    assert row.reopen_count == 1
    row = incident_after((5, ASSIGNED), (10, RESOLVED), (20, i.IncidentReopened(reason="again")), (100, RESOLVED))
    assert (row.state, row.resolved_at, row.seconds_to_resolve) == ("resolved", at(100), 100)


def test_closed_and_cancelled_keep_their_instants() -> None:
    row = incident_after((10, RESOLVED), (20, i.IncidentClosed()))
    assert (row.state, row.closed_at, row.resolved_at) == ("closed", at(20), at(10))
    assert incident_after((10, i.IncidentCancelled(reason="twice"))).cancelled_at == at(10)


def test_prioritising_changes_the_priority_and_an_unknown_one_gets_the_unknown_key() -> None:
    event = i.IncidentPrioritised(impact=1, urgency=1, priority=1, previous_priority=3)
    assert incident_after((5, event)).priority_key == 1
    assert incident_after((5, event.model_copy(update={"priority": 9}))).priority_key == -1


def test_notes_and_alerts_change_only_the_last_instant() -> None:
    before = incident_after()
    after = incident_after((5, i.IncidentNoted(text="说明")))
    assert after.last_event_at == at(5)
    after.last_event_at = before.last_event_at
    assert after == before


def test_r2_the_first_contact_and_the_first_workaround_are_kept() -> None:
    spoken, helped = i.IncidentRequesterContacted(channel="phone"), i.IncidentWorkaroundProvided(workaround="wait")
    row = incident_after((5, spoken), (6, helped), (50, spoken), (60, helped))
    assert (row.first_contact_at, row.workaround_at, row.state) == (at(5), at(6), "new")
    assert incident_after().first_contact_at is None


def test_met_clock_counts_when_it_was_met() -> None:
    row = clock_after((1800, s.SLAMet(**SAID, elapsed_seconds=1800)))
    assert (row.state, row.met, row.decided_at, row.elapsed_seconds) == ("met", True, at(1800), 1800)


def test_missed_clock_counts_when_its_target_passed() -> None:
    breached = s.SLABreached(**SAID, due_at=at(3600))
    assert clock_after((3600, breached)).state == "breached"
    missed = s.SLAMissed(**SAID, elapsed_seconds=9000, overrun_seconds=5400)
    row = clock_after((3600, breached), (9000, missed))
    assert (row.state, row.met, row.decided_at, row.stopped_at) == ("missed", False, at(3600), at(9000))
    unannounced = clock_after((9000, missed))
    assert unannounced.decided_at == at(3600)


def test_withdrawn_breach_is_no_breach() -> None:
    row = clock_after(
        (3600, s.SLABreached(**SAID, due_at=at(3600), provisional=True)),
        (3700, s.SLABreachWithdrawn(**SAID, due_at=at(3600), because="event-9")),
    )
    assert (row.state, row.breached_at, row.decided_at, row.withdrawn) == ("running", None, None, True)


def test_pause_and_new_target_keep_elapsed_time() -> None:
    paused = (600, s.SLAClockPaused(**SAID, reason="awaiting_requester", elapsed_seconds=600))
    row = clock_after(paused)
    assert (row.state, row.paused, row.due_at, row.elapsed_seconds) == ("paused", True, None, 600)
    retargeted = s.SLAClockRetargeted(
        **SAID, previous_target_seconds=3600, target_seconds=7200, elapsed_seconds=600, due_at=None
    )
    row = clock_after(paused, (700, retargeted), (900, s.SLAClockResumed(**SAID, elapsed_seconds=600, due_at=at(7500))))
    assert (row.target_seconds, row.due_at, row.paused, row.state) == (7200, at(7500), False, "running")


def test_reopened_clock_is_undecided_until_it_stops_again_but_a_breach_stays() -> None:
    met, goes_on = (
        s.SLAMet(**SAID, elapsed_seconds=100),
        s.SLAClockContinued(**SAID, elapsed_seconds=100, due_at=at(4000)),
    )
    row = clock_after((100, met), (500, goes_on))
    assert (row.state, row.met, row.stopped_at, row.decided_at) == ("running", None, None, None)
    missed = s.SLAMissed(**SAID, elapsed_seconds=5000, overrun_seconds=1400)
    row = clock_after((3600, s.SLABreached(**SAID, due_at=at(3600))), (5000, missed), (6000, goes_on))
    assert (row.state, row.decided_at) == ("breached", at(3600))


def test_cancelled_clock_is_cancelled() -> None:
    row = clock_after((3600, s.SLABreached(**SAID, due_at=at(3600))), (3700, s.SLAClockCancelled(**SAID)))
    assert (row.state, row.cancelled_at) == ("cancelled", at(3700))
    standing = s.ClockStanding(state="cancelled", elapsed_seconds=0)
    early = s.SLAClockCancelled(**SAID, at=at(1), standing=standing)
    row = clock_after((3600, s.SLABreached(**SAID, due_at=at(3600))), (3700, early))
    assert (row.state, row.target_seconds, row.breached_at) == ("cancelled", None, None)


def test_breach_of_an_earlier_target_is_no_breach_of_a_longer_one() -> None:
    breached = (3600, s.SLABreached(**SAID, due_at=at(3600)))
    longer = s.SLAClockRetargeted(
        **SAID, previous_target_seconds=3600, target_seconds=7200, elapsed_seconds=3700, due_at=at(7200)
    )
    row = clock_after(breached, (3700, longer))
    assert (row.state, row.breached_at) == ("running", None)
    shorter = longer.model_copy(update={"target_seconds": 1800, "due_at": at(1800)})
    assert clock_after(breached, (3700, shorter)).breached_at == at(3600)
    back = longer.model_copy(update={"target_seconds": 3600, "due_at": at(3600)})
    row = clock_after(breached, (3700, longer), (3800, back))
    assert (row.state, row.breached_at) == ("breached", at(3600))
    row = clock_after((3700, longer), (3800, s.SLABreached(**SAID, due_at=at(3600), target_seconds=3600)))
    assert (row.state, row.breached_at) == ("running", None)


def test_standing_names_the_target_and_its_breach_in_truth() -> None:
    standing = s.ClockStanding(state="running", elapsed_seconds=5000, due_at=at(3600), target_seconds=3600)
    restated = s.SLAClockRestated(**SAID, because="event-9", at=at(300), standing=standing)
    breached = (3600, s.SLABreached(**SAID, due_at=at(3600), provisional=True))
    row = clock_after(breached, (5000, restated))
    assert (row.state, row.breached_at, row.provisional) == ("running", None, False)
    other = standing.model_copy(update={"target_seconds": 1800, "breached_at": at(1800)})
    row = clock_after(breached, (5000, restated.model_copy(update={"standing": other})))
    assert (row.state, row.target_seconds, row.breached_at) == ("breached", 1800, at(1800))
    late = other.model_copy(update={"state": "stopped", "met": False})
    row = clock_after(
        (2000, s.SLAMet(**SAID, elapsed_seconds=2000)), (5000, restated.model_copy(update={"standing": late}))
    )
    assert (row.state, row.overrun_seconds, row.decided_at) == ("missed", 3200, at(1800))


def test_late_report_can_turn_a_missed_clock_into_a_met_one() -> None:
    missed = s.SLAMissed(**SAID, elapsed_seconds=4000, overrun_seconds=400)
    standing = s.ClockStanding(state="stopped", elapsed_seconds=1000, due_at=at(6600), met=True)
    withdrawn = s.SLABreachWithdrawn(
        **SAID, due_at=at(3600), because="event-9", at=at(500), target_seconds=3600, standing=standing
    )
    row = clock_after((3600, s.SLABreached(**SAID, due_at=at(3600))), (4000, missed), (5000, withdrawn))
    assert (row.state, row.met, row.decided_at, row.withdrawn) == ("met", True, at(4000), True)
    assert (row.elapsed_seconds, row.due_at) == (1000, at(6600))


def test_withdrawn_breach_of_another_target_leaves_the_present_one() -> None:
    other = s.SLABreachWithdrawn(**SAID, due_at=at(900), because="event-9", target_seconds=900)
    row = clock_after((3600, s.SLABreached(**SAID, due_at=at(3600))), (3700, other))
    assert (row.state, row.breached_at) == ("breached", at(3600))


def test_restated_clock_stands_where_the_report_puts_it() -> None:
    standing = s.ClockStanding(state="paused", elapsed_seconds=300)
    row = clock_after((3000, s.SLAClockRestated(**SAID, because="event-9", at=at(300), standing=standing)))
    assert (row.state, row.elapsed_seconds, row.due_at) == ("paused", 300, None)


def test_clock_that_gets_a_target_again_counts_again() -> None:
    row = clock_after((100, s.SLAClockCancelled(**SAID)), (200, started(SAID, T0, 7200)))
    assert (row.state, row.cancelled_at, row.target_seconds) == ("running", None, 7200)
    lost = s.SLAClockCancelled(**SAID, reason="no_target")
    told = (3600, s.SLABreached(**SAID, due_at=at(3600), provisional=True)), (3700, lost)
    row = clock_after(*told, (4000, started(SAID, T0, 7200)))
    assert (row.state, row.breached_at, row.decided_at, row.provisional) == ("running", None, None, False)
    assert clock_after(*told, (4000, started(SAID, T0, 3600))).breached_at == at(3600)
    earlier = [{"kind": "stopped", "at": at(150).isoformat(), "event": "event-2", "reason": None}]
    stopped = s.ClockStanding(state="stopped", elapsed_seconds=150, due_at=at(7200), met=True)
    again = started(SAID, T0, 7200).model_copy(update={"earlier": earlier, "standing": stopped})
    row = clock_after((100, s.SLAClockCancelled(**SAID)), (200, again))
    assert (row.state, row.stopped_at, row.decided_at) == ("met", at(150), at(150))


def test_delivery_goes_from_requested_to_its_outcome() -> None:
    given = {
        k: v for k, v in n.NotificationRequested.example.items() if k not in ("template", "wording_version", "values")
    }
    story = Story()
    story.tell("d", n.NotificationRequested(**n.NotificationRequested.example), T0)
    story.tell("d", n.NotificationDelivered(**given, attempts=2, message_id="<1>"), at(30))
    row = folded(story).notifications["d"]
    assert isinstance(row, NotificationRow)
    assert (row.state, row.attempts, row.seconds_to_deliver, row.template) == ("delivered", 2, 30, "sla-breached")


def test_clock_of_an_unknown_incident_leaves_a_stub_that_opening_fills() -> None:
    story = Story()
    story.tell("c", started(SAID, T0, 60), T0)
    stub = folded(story).incidents["a"]
    assert (stub.state, stub.number, stub.opened_at) == ("unknown", "INC0000001", None)
    story.tell("a", opened(1), T0)
    filled = folded(story).incidents["a"]
    assert filled == incident_after()


def test_every_team_that_is_named_has_a_row_and_an_empty_name_is_no_team() -> None:
    story = Story()
    story.tell("a", opened(1, team=""), T0)
    story.tell("a", ASSIGNED, at(1))
    story.tell("a", i.IncidentAssigned(team="database"), at(2))
    story.tell("t", n.TeamFormed(key="network", name="网络组", members=["person-1"], revision=1), at(3))
    rows = folded(story)
    assert {team.team: team.name for team in rows.teams.values()} == {"network": "网络组", "database": "database"}
    assert rows.incidents["a"].reassignment_count == 1


def test_first_events_need_no_row_and_all_others_do() -> None:
    story = random_story(3, 30)
    batch, rows = read(story.envelopes), folded(story)
    begun = needed(batch)
    assert (begun.incidents, begun.clocks, begun.notifications) == (set(), set(), set())
    assert begun.teams == {"network", "database"}
    later = needed([told for told in batch if told[0].aggregateversion > 1])
    assert later.incidents == {key for key in rows.incidents if len(_of(story, key)) > 1}
    assert later.clocks == {key for key in rows.clocks if len(_of(story, key)) > 1}
    assert later.notifications == {key for key in rows.notifications if len(_of(story, key)) > 1}


def _of(story: Story, subject: str) -> list[Envelope]:
    return [envelope for envelope in story.envelopes if envelope.subject == subject]


class Kept:
    """What a database would hold between batches, copied in and out."""

    def __init__(self) -> None:
        self.rows = Rows()

    def apply(self, part: Sequence[Envelope]) -> None:
        batch, rows = read(part), Rows()
        keys = needed(batch)
        for name in ("incidents", "clocks", "notifications", "teams"):
            kept = getattr(self.rows, name)
            getattr(rows, name).update({key: replace(kept[key]) for key in getattr(keys, name) if key in kept})
        items = self.rows.items
        rows.items.present.update({key: items.present[key] for key in keys.items if key in items.present})
        rows.items.classes.update({key: items.classes[key] for key in keys.classes if key in items.classes})
        fold(rows, batch)
        for name in ("present", "versions", "classes"):
            getattr(items, name).update(getattr(rows.items, name))
        for name in ("incidents", "clocks", "notifications", "teams"):
            kept = getattr(self.rows, name)
            for key, row in getattr(rows, name).items():
                added_only = key in rows.stubs if name == "incidents" else name == "teams" and row.changed_at is None
                if not added_only or key not in kept:
                    kept[key] = row
        for name in ("organisations", "services", "persons"):
            getattr(self.rows, name).update(getattr(rows, name))
        self.rows.details.events += rows.details.events
        self.rows.details.stretches |= rows.details.stretches
        self.rows.details.alerts |= rows.details.alerts


@given(story=st.integers(0, 5), shuffle=st.integers(0, 10**6), cut=st.integers(0, 10**6))
def test_rows_that_are_loaded_only_where_needed_are_the_same(story: int, shuffle: int, cut: int) -> None:
    told = random_story(story, 8)
    kept = Kept()
    for part in batches(interleaved(told, shuffle), cut, 9):
        kept.apply(part)
    assert kept.rows == folded(told)


@given(story=st.integers(0, 5), shuffle=st.integers(0, 10**6), cut=st.integers(0, 10**6))
def test_rows_do_not_depend_on_the_order_between_contexts_nor_on_batches(story: int, shuffle: int, cut: int) -> None:
    told = random_story(story, 8)
    rows = Rows()
    for part in batches(interleaved(told, shuffle), cut, 9):
        fold(rows, read(part))
    assert rows == folded(told)


def test_date_key_is_the_day_in_shanghai() -> None:
    assert date_key(datetime(2026, 11, 21, 15, 59, 59, tzinfo=UTC)) == 20261121
    assert date_key(datetime(2026, 11, 21, 16, 0, tzinfo=UTC)) == 20261122
    assert date_key(None) == -1
    assert date_key(datetime(1999, 12, 31, 15, 59, tzinfo=UTC)) == -1
    assert date_key(datetime(1999, 12, 31, 16, 0, tzinfo=UTC)) == 20000101
    assert date_key(datetime(2049, 12, 31, 16, 0, tzinfo=UTC)) == -1
    assert date_key(datetime(9999, 12, 31, 23, 0, tzinfo=UTC)) == -1


@given(instant=st.datetimes(datetime(2000, 1, 2), datetime(2049, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001
def test_date_key_agrees_with_the_zone(instant: datetime) -> None:
    assert date_key(instant) == int(instant.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y%m%d"))


def test_whole_seconds_round_down_and_are_never_negative() -> None:
    assert whole_seconds(T0, T0 + timedelta(seconds=1, microseconds=999999)) == 1
    assert whole_seconds(at(5), T0) == 0
    assert whole_seconds(None, T0) is None
