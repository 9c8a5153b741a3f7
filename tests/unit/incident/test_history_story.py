"""From rows to events: what a log shows is recorded, what the desk would have refused is noted, nothing ever raises."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.histories import INVENTED, KNOWN, LOGS, NOW, log_of, rows_of, stories

from incident.domain.commands import RecordStep
from incident.domain.decider import DECIDER
from incident.domain.state import Incident, State
from incident.importing.history import HistoryRow, Standing
from incident.importing.story import UNNAMED, Story, story
from opsledger_events import Event, event_class
from opsledger_events.contexts.incident import (
    IncidentAssigned,
    IncidentHeld,
    IncidentNoted,
    IncidentOpened,
    IncidentReopened,
)
from opsledger_runtime.errors import NotFound

STANDS = {
    "new": {State.NEW, State.ASSIGNED, State.IN_PROGRESS},
    "active": {State.IN_PROGRESS},
    "held": {State.ON_HOLD},
    "resolved": {State.RESOLVED},
    "closed": {State.CLOSED},
    "cancelled": {State.CANCELLED},
}
"""`new` again is as far back as events lead: work that was begun is not unbegun."""


def events(of: Story) -> list[Event]:
    return [event for step in of.steps for event in step.events]


def outcome(of: Story) -> Incident:
    """The incident after its story, told by commands."""
    incident = DECIDER.initial_state
    for step in of.steps:
        for event in DECIDER.decide(RecordStep(step.events), incident):
            incident = DECIDER.evolve(incident, event)
    return incident


def told(*rows: dict[str, str]) -> Story:
    usual = {"sys_mod_count": "0", "opened_at": "01-03-2016 08:00"}
    written = [{**usual, "sys_mod_count": str(index), **row} for index, row in enumerate(rows)]
    found, damaged = rows_of(log_of(*written))
    assert not damaged
    return story("servicenow", found)


def names(of: Story) -> list[str]:
    return [event.event_name().removeprefix("Incident") for event in events(of)]


def kinds(of: Story) -> list[str]:
    return [note.kind for note in of.notes]


@pytest.mark.parametrize("log", LOGS, ids=str)
def test_a_whole_log_comes_out_as_its_facts_say(log: Path) -> None:
    facts, found = KNOWN[log], stories(rows_of(log.read_bytes())[0])
    counts = Counter(note.kind for one in found for note in one.notes)
    moved = [
        event
        for one in found
        for event in events(one)
        if isinstance(event, IncidentAssigned) and event.previous_team not in (None, event.team)
    ]
    assert (sum(one.rows for one in found), len(found)) == (facts.rows, facts.incidents)
    assert {outcome(one).state for one in found} == {State.CLOSED}
    assert counts["begins"] == facts.begun_elsewhere
    assert len(moved) == facts.reassignments - facts.unseen
    assert counts["reassignment_count"] == facts.unseen
    assert counts["reopen_count"] == 0
    for kind, incidents, times in ((IncidentReopened, facts.reopened, facts.reopenings), (IncidentHeld, facts.held, 0)):
        per = [sum(isinstance(event, kind) for event in events(one)) for one in found]
        assert sum(count > 0 for count in per) == incidents
        assert not times or sum(per) == times


@pytest.mark.parametrize("log", LOGS, ids=str)
def test_every_difference_to_the_sources_counters_has_its_line(log: Path) -> None:
    """The real one counts 622: 620 are recorded, and two lines raise the counter with nothing else to see."""
    rows = rows_of(log.read_bytes())[0]
    lines = {row.line: row for row in rows}
    notes = [note for one in stories(rows) for note in one.notes if note.kind == "reassignment_count"]
    assert len({note.line for note in notes}) == KNOWN[log].unseen
    for note in notes:
        before, row = lines[note.line - 1], lines[note.line]
        assert (before.number, before.team) == (row.number, row.team)
        assert (row.reassignments or 0) - (before.reassignments or 0) == 1


def test_r16_a_responsibility_that_the_log_does_not_know_is_the_providers_unless_a_vendor_is_named() -> None:
    rows = [{"incident_state": "New"}, {"incident_state": "Resolved", "closed_code": "code 5"}]
    assert (outcome(told(*rows)).responsibility, outcome(told(*rows)).resolution) == ("provider", "closed_code: code 5")
    assert outcome(told(*({**row, "vendor": "Vendor 2"} for row in rows))).responsibility == "third_party"
    assert outcome(told(*({**row, "closed_code": "?"} for row in rows))).resolution == "closed_code: not stated"


def test_the_priority_is_what_the_source_states_whatever_our_matrix_gives() -> None:
    found = told({"impact": "3 - Low", "urgency": "3 - Low", "priority": "4 - Low"}, {"impact": "1 - High"})
    opened, prioritised = events(found)[0], events(found)[-1]
    assert (opened.impact, opened.urgency, opened.priority) == (3, 3, 4)  # type: ignore[attr-defined]
    assert (prioritised.impact, prioritised.priority) == (1, 3)  # type: ignore[attr-defined]


def test_a_priority_that_is_unknown_is_the_lowest_and_noted() -> None:
    found = told({"impact": "?", "urgency": "?", "priority": "?"}, {"priority": "?"})
    assert kinds(found) == ["unknown_priority"]
    assert (outcome(found).impact, outcome(found).urgency, outcome(found).priority) == (2, 2, 5)


def test_an_opening_is_dated_by_the_source_and_the_first_update_by_itself() -> None:
    found = told({"opened_at": "01-03-2016 07:00", "sys_updated_at": "01-03-2016 07:30", "incident_state": "Active"})
    assert [(f"{step.at:%H:%M}", len(step.events)) for step in found.steps] == [("07:00", 1), ("07:30", 2)]
    assert len({step.command for step in found.steps}) == 1
    assert names(found) == ["Opened", "Assigned", "Started"]
    unknown = told({"opened_at": "?", "sys_updated_at": "01-03-2016 07:30"})
    assert f"{unknown.steps[0].at:%H:%M}" == "07:30"


def test_every_wait_has_one_reason() -> None:
    waits = ("Awaiting Problem", "Awaiting Problem", "Awaiting Vendor", "Active", "Awaiting Evidence")
    found = told({"incident_state": "Active"}, *({"incident_state": wait} for wait in waits))
    assert names(found)[3:] == ["Held", "Resumed", "Held", "Resumed", "Held"]
    assert outcome(found).hold_reason == "awaiting_evidence"
    assert kinds(found) == ["begins"]


@pytest.mark.parametrize(
    ("states", "told_last", "noted"),
    [
        (("New", "Awaiting Vendor"), ["Held"], ["only_work_in_progress_is_held"]),
        (("New", "Closed"), ["Closed"], ["only_resolved_is_closed"]),
        (("New", "Resolved", "Closed", "Active"), ["Reopened"], ["closed_is_final", "reopen_count"]),
        (("New", "Resolved", "Closed", "Resolved"), ["Reopened", "Resolved"], ["closed_is_final", "reopen_count"]),
        (("New", "Canceled", "New"), ["Reopened"], ["cancelled_is_final", "reopen_count"]),
        (("New", "Resolved", "Canceled"), ["Cancelled"], ["resolved_is_not_cancelled"]),
        (("New", "Active", "New"), [], []),
        (("New", "Active", "-100"), [], ["unknown_state"]),
        (("New", "-100", "Active"), ["Started"], ["unknown_state"]),
        (("-100", "Active"), ["Started"], ["unknown_state"]),
    ],
)
def test_what_the_desk_would_refuse_is_recorded_and_noted(
    states: tuple[str, ...], told_last: list[str], noted: list[str]
) -> None:
    found = told(*({"incident_state": state} for state in states))
    last = [step for step in found.steps if step.line == len(states) + 1]
    assert [event.event_name() for step in last for event in step.events] == [f"Incident{name}" for name in told_last]
    assert kinds(found) == noted


def test_a_counted_reopening_is_one_even_where_no_row_shows_it_open() -> None:
    found = told({}, {"incident_state": "Resolved"}, {"incident_state": "Resolved", "reopen_count": "1"})
    assert names(found)[-3:] == ["Resolved", "Reopened", "Resolved"]
    assert kinds(found) == []


def test_a_group_that_is_not_named_has_a_stand_in_where_the_counter_knows_of_it() -> None:
    moves = ("Group 1", "0"), ("?", "1"), ("?", "1"), ("Group 1", "2"), ("Group 1", "3")
    found = told(*({"assignment_group": group, "reassignment_count": count} for group, count in moves))
    teams = [event.team for event in events(found) if isinstance(event, IncidentAssigned)]
    assert teams == ["group-1", UNNAMED, "group-1"]
    assert [(note.line, note.kind) for note in found.notes] == [(3, "unnamed_team"), (6, "reassignment_count")]
    assert "raises reassignment_count by 1, and shows 0 of it" in found.notes[1].text


def test_a_person_without_a_group_is_nobody_known() -> None:
    found = told({"assignment_group": "?", "assigned_to": "Resolver 3"}, {"assigned_to": "?"})
    assert (outcome(found).team, outcome(found).assignee) == ("group-1", None)
    assert kinds(found) == ["unnamed_team", "reassignment_count"]
    assert outcome(told({"assignment_group": "?", "assigned_to": "?"})).team is None


def test_rows_before_their_opening_or_out_of_order_are_recorded_as_late_as_needed() -> None:
    times = ("01-03-2016 07:00", "01-03-2016 09:00", "01-03-2016 08:30", "01-03-2016 09:00")
    found = told(*({"sys_updated_at": at, "assignment_group": f"Group {at}"} for at in times))
    assert [f"{step.at:%H:%M}" for step in found.steps] == ["08:00", "08:00", "09:00", "09:00", "09:00"]
    assert [(note.line, note.kind) for note in found.notes if note.kind != "reassignment_count"] == [
        (2, "before_opening"),
        (4, "out_of_order"),
    ]


def test_a_repeated_row_is_noted_and_has_an_id_of_its_own() -> None:
    states = ("Active", "Awaiting Vendor", "Active")
    found = told(*({"sys_mod_count": "1", "incident_state": state} for state in states))
    assert kinds(found) == ["begins", "repeated"]
    assert [step.events[-1].event_name() for step in found.steps[1:]] == [
        "IncidentStarted",
        "IncidentHeld",
        "IncidentResumed",
    ]
    assert len({step.command for step in found.steps[1:]}) == 3


def test_what_has_no_event_is_written_down_as_a_note() -> None:
    found = told({}, {"category": "Category 8", "u_symptom": "?", "rfc": "CHG0000127"}, {"category": "Category 8"})
    notes = [event for event in events(found) if isinstance(event, IncidentNoted)]
    assert [note.text for note in notes] == [
        "category: Category 5 → Category 8\nsymptom: Symptom 2 → ?\nchange request: ? → CHG0000127",
        "symptom: ? → Symptom 2\nchange request: CHG0000127 → ?",
    ]
    assert not any(note.public for note in notes)


def test_a_step_opens_nothing_twice_and_begins_nothing_by_itself() -> None:
    opened = IncidentOpened(number="INC1", title="x", impact=1, urgency=1, priority=1)
    known = DECIDER.evolve(DECIDER.initial_state, opened)
    held = IncidentHeld(reason="awaiting_vendor")
    assert DECIDER.decide(RecordStep((opened, held)), known) == [held]
    for wrong in ((), (held,), (held, opened)):
        with pytest.raises(NotFound):
            DECIDER.decide(RecordStep(wrong), DECIDER.initial_state)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
IDS = st.none() | st.sampled_from(["group-1", "group-2", "resolver-1"])
ROWS = st.builds(
    HistoryRow,
    line=st.integers(2, 10_000),
    number=st.just("INC1"),
    identity=st.sampled_from("abcdef"),
    at=st.integers(0, 500).map(lambda minutes: NOW - timedelta(minutes=minutes)),
    opened_at=st.none() | st.integers(0, 500).map(lambda minutes: NOW - timedelta(minutes=minutes)),
    standing=st.none() | st.sampled_from(get_args(Standing)),
    hold_reason=st.sampled_from(["awaiting_vendor", "awaiting_requester"]),
    team=IDS,
    assignee=IDS,
    impact=st.none() | st.integers(1, 3),
    urgency=st.none() | st.integers(1, 3),
    priority=st.none() | st.integers(1, 5),
    reassignments=st.none() | st.integers(0, 3),
    reopenings=st.none() | st.integers(0, 3),
    title=TEXT,
    description=TEXT,
    category=st.none() | TEXT,
    configuration_item=st.none() | TEXT,
    requester=IDS,
    resolution=TEXT,
    particulars=st.lists(TEXT, min_size=2, max_size=2).map(lambda told: tuple(zip("ab", told, strict=True))),
)


@given(st.lists(ROWS, min_size=1, max_size=12))
def test_whatever_rows_say_is_told_in_order_and_ends_as_the_last_one_says(rows: list[HistoryRow]) -> None:
    found = story("servicenow", rows)
    instants = [step.at for step in found.steps]
    assert instants == sorted(instants)
    assert isinstance(events(found)[0], IncidentOpened)
    assert sum(isinstance(event, IncidentOpened) for event in events(found)) == 1
    for event in events(found):
        assert event_class(event.type_name).read(event.model_dump(mode="json", exclude_none=True)) == event
    end, last = outcome(found), rows[-1]
    if last.standing is not None:
        assert end.state in STANDS[last.standing]
    for known, shown in ((last.impact, end.impact), (last.urgency, end.urgency), (last.priority, end.priority)):
        assert known in (None, shown)
    assert last.team in (None, end.team)
    assert last.assignee in (None, end.assignee)
    assert (end.state is State.ON_HOLD) == (end.hold_reason is not None)
    assert story("servicenow", rows) == found


@given(st.lists(ROWS, min_size=1, max_size=12), st.integers(0, 12))
def test_a_longer_log_tells_the_same_first(rows: list[HistoryRow], cut: int) -> None:
    short, long = story("servicenow", rows[: max(cut, 1)]), story("servicenow", rows)
    assert long.steps[: len(short.steps)] == short.steps


@given(st.randoms(use_true_random=False))
def test_any_shuffled_part_of_a_log_is_told(dice: Any) -> None:
    rows = rows_of(INVENTED.read_bytes())[0]
    part = [replace(row, number="INC1") for row in dice.sample(rows, dice.randint(1, len(rows)))]
    end = outcome(story("servicenow", part))
    assert part[-1].standing is None or end.state in STANDS[part[-1].standing]
