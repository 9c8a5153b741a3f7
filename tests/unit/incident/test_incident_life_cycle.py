"""No sequence of commands leads to a state that the life cycle does not know."""

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

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
from incident.domain.matrix import priority_of
from incident.domain.state import OPEN, State
from opsledger_runtime.errors import DomainError

AT = datetime(2026, 11, 22, tzinfo=UTC)
ALLOWED = {
    State.UNKNOWN: {State.NEW, State.ASSIGNED},
    State.NEW: {State.ASSIGNED, State.RESOLVED, State.CANCELLED},
    State.ASSIGNED: {State.IN_PROGRESS, State.RESOLVED, State.CANCELLED},
    State.IN_PROGRESS: {State.ON_HOLD, State.RESOLVED, State.CANCELLED},
    State.ON_HOLD: {State.IN_PROGRESS, State.RESOLVED, State.CANCELLED},
    State.RESOLVED: {State.NEW, State.IN_PROGRESS, State.CLOSED},
    State.CLOSED: set(),
    State.CANCELLED: set(),
}

level = st.integers(1, 3)
word = st.sampled_from(["a", "b"])
maybe = st.none() | word
whenever = st.none() | st.sampled_from([AT - timedelta(hours=1), AT, AT + timedelta(hours=1)])
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        OpenIncident,
        number=st.just("INC0000001"),
        title=word,
        impact=level,
        urgency=level,
        team=maybe,
        alert=st.none() | st.just(AlertOrigin("am", "f1", AT)),
    ),
    st.builds(AssignIncident, word, maybe),
    st.builds(StartIncident, maybe),
    st.builds(HoldIncident, word, maybe, whenever, maybe, st.none() | st.just(AT)),
    st.builds(ResumeIncident),
    st.builds(PrioritiseIncident, level, level),
    st.builds(NoteIncident, word, st.booleans()),
    st.builds(ContactRequester, st.sampled_from(["phone", "email"]), maybe, whenever, st.none() | st.just(AT)),
    st.builds(ProvideWorkaround, word),
    st.builds(ResolveIncident, st.sampled_from(["provider", "third_party", "customer", None]), word),
    st.builds(ReopenIncident, word),
    st.builds(CloseIncident),
    st.builds(CancelIncident, word),
    st.builds(RecordAlertState, st.just("f1"), st.sampled_from(["firing", "resolved"]), st.just(AT)),
)


class LifeCycle(RuleBasedStateMachine):
    """Asks anything at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.incident = DECIDER.initial_state
        self.events: list[object] = []

    @rule(command=commands)
    def ask(self, command: Command) -> None:
        before = self.incident
        try:
            events = DECIDER.decide(command, before)
        except DomainError:
            return
        for event in events:
            self.incident = DECIDER.evolve(self.incident, event)
        self.events += events
        if before.state is not self.incident.state:
            assert self.incident.state in ALLOWED[before.state]
        if events and not isinstance(command, NoteIncident | ContactRequester):
            assert not self._again(command), "a command whose effect stands gives no second event"

    def _again(self, command: Command) -> object:
        try:
            return DECIDER.decide(command, self.incident)
        except DomainError:
            return []

    @invariant()
    def state_is_legal(self) -> None:
        found = self.incident
        if found.state in (State.ASSIGNED, State.IN_PROGRESS, State.ON_HOLD):
            assert found.team is not None
        if found.state is not State.UNKNOWN:
            assert found.priority == priority_of(found.impact, found.urgency)
            assert found.number == "INC0000001"
        assert (found.state is State.ON_HOLD) == (found.hold_reason is not None)
        assert found.promised is None or found.promised_at is not None
        assert found.promised_at is None or (found.state is State.ON_HOLD and found.promised_at > AT)
        assert (found.state in (State.RESOLVED, State.CLOSED)) == (found.responsibility is not None)
        assert found.state not in OPEN or found.resolution is None
        assert (found.state is State.CANCELLED) == (found.cancel_reason is not None)

    @invariant()
    def the_fold_of_what_happened_is_the_state(self) -> None:
        assert DECIDER.fold(self.events) == self.incident  # type: ignore[arg-type]


TestLifeCycle = LifeCycle.TestCase
TestLifeCycle.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
