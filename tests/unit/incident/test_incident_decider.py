"""Given what happened, when something is asked, then these events or this rule: every command in every state."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from incident.domain.commands import (
    AlertOrigin,
    AssignIncident,
    CancelIncident,
    CloseIncident,
    Command,
    ContactRequester,
    HoldIncident,
    NoteIncident,
    OpenIncident,
    PrioritiseIncident,
    ProvideWorkaround,
    RecordAlertState,
    ReopenIncident,
    ResolveIncident,
    ResumeIncident,
    StartIncident,
)
from incident.domain.decider import DECIDER
from incident.domain.state import State
from opsledger_events import Event
from opsledger_events.contexts.incident import (
    IncidentAlertStateChanged,
    IncidentAssigned,
    IncidentCancelled,
    IncidentClosed,
    IncidentHeld,
    IncidentNoted,
    IncidentOpened,
    IncidentPrioritised,
    IncidentReopened,
    IncidentRequesterContacted,
    IncidentResolved,
    IncidentResumed,
    IncidentStarted,
    IncidentWorkaroundProvided,
)
from opsledger_runtime.errors import Invalid
from opsledger_runtime.testing.decider import given

AT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
OPENED = IncidentOpened(
    number="INC0000001",
    title="核心交换机端口告警",
    impact=2,
    urgency=2,
    priority=3,
    alert_fingerprint="f1",
    alert_source="am",
)
ASSIGNED = IncidentAssigned(team="network", assignee="person-3")
STARTED = IncidentStarted(assignee="person-3")
HELD = IncidentHeld(reason="awaiting_vendor", note="asked")
RESOLVED = IncidentResolved(responsibility="provider", resolution="replaced it")

PASTS: dict[State, list[Event]] = {
    State.UNKNOWN: [],
    State.NEW: [OPENED],
    State.ASSIGNED: [OPENED, ASSIGNED],
    State.IN_PROGRESS: [OPENED, ASSIGNED, STARTED],
    State.ON_HOLD: [OPENED, ASSIGNED, STARTED, HELD],
    State.RESOLVED: [OPENED, ASSIGNED, STARTED, RESOLVED],
    State.CLOSED: [OPENED, ASSIGNED, STARTED, RESOLVED, IncidentClosed()],
    State.CANCELLED: [OPENED, ASSIGNED, IncidentCancelled(reason="twice")],
}

NEW_TEAM_FROM_NOBODY = IncidentAssigned(team="dba")
NEW_TEAM = IncidentAssigned(team="dba", previous_team="network", previous_assignee="person-3")
PRIORITISED = IncidentPrioritised(impact=1, urgency=1, priority=1, previous_priority=3)
NOTED = IncidentNoted(text="hello ", public=True)
CUSTOMER = IncidentResolved(responsibility="customer", resolution="rebooted")
REOPENED = IncidentReopened(reason="again")
CANCELLED = IncidentCancelled(reason="a duplicate")
LATER = AT + timedelta(hours=16)
BOOKED = IncidentRequesterContacted(channel="phone", note="rings twice", booked_at=LATER)
PROMISED = IncidentHeld(reason="awaiting_vendor", promised_at=LATER, promised="我明天再来")
WORKAROUND = IncidentWorkaroundProvided(workaround="use the second link ")
QUIET = IncidentAlertStateChanged(fingerprint="f1", state="resolved", occurred_at=AT)

Expected = Sequence[Event] | str
FINAL: dict[State, Expected] = {State.CLOSED: "closed_is_final", State.CANCELLED: "cancelled_is_final"}
UNBORN: dict[State, Expected] = {State.UNKNOWN: "not_found"}
SHUT: dict[State, Expected] = {**UNBORN, **FINAL, State.RESOLVED: "resolved_is_reopened_first"}


def row(
    shared: dict[State, Expected],
    new: Expected,
    assigned: Expected,
    in_progress: Expected,
    on_hold: Expected,
    **others: Expected,
) -> dict[State, Expected]:
    open_states = {State.NEW: new, State.ASSIGNED: assigned, State.IN_PROGRESS: in_progress, State.ON_HOLD: on_hold}
    return {**shared, **open_states, **{State(name): expected for name, expected in others.items()}}


TABLE: list[tuple[Command, dict[State, Expected]]] = [
    (AssignIncident(team="dba"), row(SHUT, [NEW_TEAM_FROM_NOBODY], [NEW_TEAM], [NEW_TEAM], [NEW_TEAM])),
    (AssignIncident(team="network", assignee="person-3"), row(SHUT, [ASSIGNED], [], [], [])),
    (StartIncident(), row(SHUT, "work_needs_a_team", [STARTED], [], "held_work_is_resumed")),
    (
        HoldIncident(reason="awaiting_vendor", note="asked"),
        row(SHUT, "only_work_in_progress_is_held", "only_work_in_progress_is_held", [HELD], []),
    ),
    (
        HoldIncident(reason="awaiting_change"),
        row(
            SHUT,
            "only_work_in_progress_is_held",
            "only_work_in_progress_is_held",
            [IncidentHeld(reason="awaiting_change")],
            "held_for_one_reason_at_a_time",
        ),
    ),
    (
        HoldIncident(reason="awaiting_vendor", promised_at=LATER, promised="我明天再来", at=AT),
        row(
            SHUT,
            "only_work_in_progress_is_held",
            "only_work_in_progress_is_held",
            [PROMISED],
            "held_for_one_reason_at_a_time",
        ),
    ),
    (
        ContactRequester(channel="phone", note="rings twice", booked_at=LATER, at=AT),
        row(SHUT, "contact_needs_a_team", [BOOKED], [BOOKED], [BOOKED]),
    ),
    (
        ProvideWorkaround(workaround="use the second link "),
        row(SHUT, [WORKAROUND], [WORKAROUND], [WORKAROUND], [WORKAROUND]),
    ),
    (ResumeIncident(), row(SHUT, "only_held_work_is_resumed", "only_held_work_is_resumed", [], [IncidentResumed()])),
    (PrioritiseIncident(impact=1, urgency=1), row(SHUT, [PRIORITISED], [PRIORITISED], [PRIORITISED], [PRIORITISED])),
    (PrioritiseIncident(impact=2, urgency=2), row(SHUT, [], [], [], [])),
    (
        NoteIncident(text="hello ", public=True),
        row({**UNBORN, **FINAL}, [NOTED], [NOTED], [NOTED], [NOTED], resolved=[NOTED]),
    ),
    (
        ResolveIncident(responsibility="customer", resolution="rebooted"),
        row({**UNBORN, **FINAL}, [CUSTOMER], [CUSTOMER], [CUSTOMER], [CUSTOMER], resolved="resolved_once"),
    ),
    (
        ResolveIncident(responsibility="provider", resolution="replaced it"),
        row({**UNBORN, **FINAL}, [RESOLVED], [RESOLVED], [RESOLVED], [RESOLVED], resolved=[]),
    ),
    (
        ReopenIncident(reason="again"),
        row({**UNBORN, **FINAL}, *["only_resolved_is_reopened"] * 4, resolved=[REOPENED]),
    ),
    (
        CloseIncident(),
        row({**UNBORN, **FINAL}, *["only_resolved_is_closed"] * 4, resolved=[IncidentClosed()], closed=[]),
    ),
    (
        CancelIncident(reason="a duplicate"),
        row(
            {**UNBORN, **FINAL},
            [CANCELLED],
            [CANCELLED],
            [CANCELLED],
            [CANCELLED],
            resolved="resolved_is_not_cancelled",
        ),
    ),
    (
        CancelIncident(reason="twice"),
        row(
            {**UNBORN, **FINAL},
            *[[IncidentCancelled(reason="twice")]] * 4,
            resolved="resolved_is_not_cancelled",
            cancelled=[],
        ),
    ),
    (
        RecordAlertState(fingerprint="f1", state="resolved", occurred_at=AT),
        row(UNBORN, [QUIET], [QUIET], [QUIET], [QUIET], resolved=[QUIET], closed=[], cancelled=[]),
    ),
    (
        RecordAlertState(fingerprint="f1", state="firing", occurred_at=AT),
        row(UNBORN, [], [], [], [], resolved=[], closed=[], cancelled=[]),
    ),
    (
        RecordAlertState(fingerprint="other", state="resolved", occurred_at=AT),
        {**dict.fromkeys(State, "alert_of_this_incident"), **UNBORN},
    ),
    (
        OpenIncident(number="INC0000002", title="another", impact=3, urgency=3),
        {
            **dict.fromkeys(State, "opened_once"),
            State.UNKNOWN: [IncidentOpened(number="INC0000002", title="another", impact=3, urgency=3, priority=5)],
        },
    ),
]

CASES = [
    pytest.param(command, state, expected[state], id=f"{type(command).__name__}-{index}-{state}")
    for index, (command, expected) in enumerate(TABLE)
    for state in State
]


@pytest.mark.parametrize(("command", "state", "expected"), CASES)
def test_every_command_in_every_state(command: Command, state: State, expected: Expected) -> None:
    outcome = given(DECIDER, PASTS[state]).when(command)
    if isinstance(expected, str):
        outcome.then_refused(expected)
    else:
        outcome.then(*expected)


@pytest.mark.parametrize("state", State)
def test_each_past_leads_to_its_state(state: State) -> None:
    assert given(DECIDER, PASTS[state]).state.state is state


@pytest.mark.parametrize("state", [State.NEW, State.ASSIGNED, State.IN_PROGRESS, State.ON_HOLD])
def test_r16_resolving_needs_a_responsibility_code(state: State) -> None:
    refused = given(DECIDER, PASTS[state]).when(ResolveIncident(None, "replaced it")).then_refused("R16")
    assert "provider, third_party or customer" in refused.message


def test_r16_closing_finds_the_responsibility_code_of_the_resolution() -> None:
    closed = given(DECIDER, PASTS[State.RESOLVED]).when(CloseIncident()).then(IncidentClosed())
    assert closed.responsibility == "provider"


def test_resolving_needs_words() -> None:
    given(DECIDER, PASTS[State.NEW]).when(ResolveIncident("provider", " \n")).then_refused("resolution_is_stated")


def test_first_contact_resolution_needs_no_team() -> None:
    resolved = given(DECIDER, [OPENED]).when(ResolveIncident("customer", "rebooted")).then(CUSTOMER)
    assert resolved.team is None


def test_reopened_incident_forgets_its_responsibility_and_goes_back_to_work() -> None:
    reopened = given(DECIDER, PASTS[State.RESOLVED]).when(ReopenIncident("again")).then(REOPENED)
    assert (reopened.state, reopened.responsibility, reopened.resolution) == (State.IN_PROGRESS, None, None)


def test_reopened_incident_without_a_team_is_new_again() -> None:
    reopened = given(DECIDER, [OPENED, RESOLVED]).when(ReopenIncident("again")).then(REOPENED)
    assert reopened.state is State.NEW


def test_reassigning_work_on_hold_keeps_the_hold() -> None:
    held = given(DECIDER, PASTS[State.ON_HOLD]).when(AssignIncident(team="dba")).then(NEW_TEAM)
    assert (held.state, held.hold_reason, held.team) == (State.ON_HOLD, "awaiting_vendor", "dba")


def test_another_impact_with_the_same_priority_is_still_a_fact() -> None:
    given(DECIDER, [OPENED]).when(PrioritiseIncident(impact=1, urgency=3)).then(
        IncidentPrioritised(impact=1, urgency=3, priority=3, previous_priority=3)
    )


def test_a_team_known_at_the_opening_is_assigned_at_once() -> None:
    origin = AlertOrigin(source="am", fingerprint="f1", started_at=AT)
    command = OpenIncident(number="INC0000009", title="down", impact=1, urgency=1, team="network", alert=origin)
    opened = (
        given(DECIDER)
        .when(command)
        .then(
            IncidentOpened(
                number="INC0000009",
                title="down",
                impact=1,
                urgency=1,
                priority=1,
                team="network",
                alert_fingerprint="f1",
                alert_source="am",
                alert_started_at=AT,
            ),
            IncidentAssigned(team="network"),
        )
    )
    assert (opened.state, opened.team, opened.alert_state) == (State.ASSIGNED, "network", "firing")


def test_a_firing_alert_is_no_news_to_a_resolved_incident() -> None:
    quiet = [*PASTS[State.RESOLVED], QUIET]
    given(DECIDER, quiet).when(RecordAlertState(fingerprint="f1", state="firing", occurred_at=AT)).then()


def test_a_firing_alert_is_news_to_an_open_incident_whose_alert_was_quiet() -> None:
    firing = RecordAlertState(fingerprint="f1", state="firing", occurred_at=AT)
    again = given(DECIDER, [OPENED, QUIET]).when(firing)
    again.then(IncidentAlertStateChanged(fingerprint="f1", state="firing", occurred_at=AT))


def test_impact_out_of_the_matrix_is_invalid() -> None:
    given(DECIDER).when(OpenIncident(number="INC0000009", title="down", impact=4, urgency=1)).then_refused("invalid")


IN_PROGRESS = PASTS[State.IN_PROGRESS]


def test_r2_every_contact_is_a_fact_and_changes_no_state() -> None:
    asked = ContactRequester(channel="phone", note="rings twice", booked_at=LATER, at=AT)
    contacted = given(DECIDER, [OPENED, ASSIGNED, BOOKED]).when(asked).then(BOOKED)
    assert contacted.state is State.ASSIGNED


def test_r2_a_contact_needs_no_booking() -> None:
    given(DECIDER, IN_PROGRESS).when(ContactRequester("email", at=AT)).then(IncidentRequesterContacted(channel="email"))


def test_r2_an_incident_that_was_reopened_without_a_team_is_nobodys_to_ask_about() -> None:
    past = [OPENED, RESOLVED, REOPENED]
    given(DECIDER, past).when(ContactRequester("phone", at=AT)).then_refused("contact_needs_a_team")


@pytest.mark.parametrize("at", [LATER, LATER + timedelta(microseconds=1), None])
def test_r2_a_visit_is_booked_for_later(at: datetime | None) -> None:
    asked = ContactRequester("phone", booked_at=LATER, at=at)
    refused = given(DECIDER, IN_PROGRESS).when(asked).then_refused("booked_at_is_past")
    assert isinstance(refused, Invalid)
    assert [error.pointer for error in refused.errors] == ["/booked_at"]
    before = ContactRequester("phone", booked_at=LATER, at=LATER - timedelta(microseconds=1))
    given(DECIDER, IN_PROGRESS).when(before).then(IncidentRequesterContacted(channel="phone", booked_at=LATER))


@pytest.mark.parametrize("at", [LATER, LATER + timedelta(microseconds=1), None])
def test_r13_a_promise_is_for_later(at: datetime | None) -> None:
    asked = HoldIncident("awaiting_vendor", promised_at=LATER, at=at)
    refused = given(DECIDER, IN_PROGRESS).when(asked).then_refused("promised_at_is_past")
    assert isinstance(refused, Invalid)
    assert [error.pointer for error in refused.errors] == ["/promised_at"]


def test_r13_a_promise_needs_its_date() -> None:
    refused = given(DECIDER, IN_PROGRESS).when(HoldIncident("awaiting_vendor", promised="明天再来", at=AT))
    assert "`promised_at`" in refused.then_refused("R13").message


def test_r13_a_date_needs_no_words() -> None:
    held = given(DECIDER, IN_PROGRESS).when(HoldIncident("awaiting_vendor", promised_at=LATER, at=AT))
    assert held.then(IncidentHeld(reason="awaiting_vendor", promised_at=LATER)).promised_at == LATER


@pytest.mark.parametrize(
    ("asked", "stands"),
    [
        (HoldIncident("awaiting_vendor", promised_at=LATER, promised="我明天再来", at=LATER + timedelta(days=1)), True),
        (HoldIncident("awaiting_vendor", promised_at=LATER, at=AT), True),
        (HoldIncident("awaiting_vendor", at=AT), True),
        (HoldIncident("awaiting_vendor", promised_at=LATER + timedelta(days=1), at=AT), False),
        (HoldIncident("awaiting_vendor", promised_at=LATER, promised="I shall be back", at=AT), False),
    ],
)
def test_r13_another_promise_is_another_hold(asked: HoldIncident, stands: bool) -> None:
    outcome = given(DECIDER, [*IN_PROGRESS, PROMISED]).when(asked)
    if stands:
        outcome.then_nothing()
    else:
        outcome.then_refused("held_for_one_reason_at_a_time")


@pytest.mark.parametrize(
    "ends",
    [ResumeIncident(), ResolveIncident("provider", "replaced it"), CancelIncident("a duplicate")],
)
def test_r13_a_promise_lasts_as_long_as_its_hold(ends: Command) -> None:
    held = given(DECIDER, [*IN_PROGRESS, PROMISED])
    assert (held.state.promised_at, held.state.promised) == (LATER, "我明天再来")
    ended = held.when(ends).state
    assert (ended.hold_reason, ended.promised_at, ended.promised) == (None, None, None)


def test_the_same_workaround_is_provided_once() -> None:
    provided = given(DECIDER, [OPENED, WORKAROUND])
    provided.when(ProvideWorkaround(WORKAROUND.workaround)).then_nothing()
    other = IncidentWorkaroundProvided(workaround="use the third link")
    assert provided.when(ProvideWorkaround(other.workaround)).then(other).workaround == "use the third link"


@pytest.mark.parametrize("text", ["", " \n\t", "\u3000"])
def test_a_workaround_needs_words(text: str) -> None:
    given(DECIDER, [OPENED]).when(ProvideWorkaround(text)).then_refused("workaround_is_stated")


def test_an_opening_carries_how_critical_its_item_is() -> None:
    command = OpenIncident("INC0000009", "down", 1, 1, configuration_item="db-01", criticality="high")
    [opened] = given(DECIDER).when(command).events
    assert isinstance(opened, IncidentOpened)
    assert opened.criticality == "high"
    assert given(DECIDER, [opened]).state.criticality == "high"
