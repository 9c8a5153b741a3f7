"""A promise as a function of what happened, and its decisions: due, reminded, moved, kept, broken, withdrawn."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given as any_of
from hypothesis import strategies as st

from opsledger_events import Event
from opsledger_events.contexts.sla import PromiseBreachWithdrawn, PromiseBroken, PromiseKept, PromiseMade
from opsledger_runtime.testing.decider import given
from sla.domain.commands import Subject
from sla.domain.promise import Fact, FactKind, read
from sla.domain.promise_commands import (
    AnnounceBreak,
    AnnounceReminder,
    Command,
    KeepPromise,
    MakePromise,
    MovePromise,
    PassOnPromise,
    WithdrawPromise,
)
from sla.domain.promise_decider import PROMISE
from sla.domain.promise_state import PromiseState

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
SUBJECT = Subject("incident-1", "INC0000001", "核心交换机端口告警", 1, "acme", requester="person-17", team="network")
DUE = 10


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def make(**given_: Any) -> MakePromise:
    about: dict[str, Any] = {"subject": SUBJECT, "at": at(0), "text": "周一再来", "due": at(DUE), "remind": at(8)}
    return MakePromise(**{**about, "source": "desk", "promised_by": "person-3", "owner": "person-3", **given_})


def keep(hours: float, **more: Any) -> KeepPromise:
    return KeepPromise(subject=SUBJECT, at=at(hours), **more)


def withdraw(hours: float, **more: Any) -> WithdrawPromise:
    return WithdrawPromise(subject=SUBJECT, at=at(hours), explanation="客户不需要了", **more)


def move(hours: float, to: float) -> MovePromise:
    return MovePromise(subject=SUBJECT, at=at(hours), due=at(to), remind=at(to - 0.5), explanation="另约")


def broke(hours: float = DUE) -> AnnounceBreak:
    return AnnounceBreak(subject=SUBJECT, at=at(hours))


def told(*commands: Command) -> list[Event]:
    """Every event of these commands, one after the other."""
    state, events = PROMISE.initial_state, []
    for command in commands:
        for event in PROMISE.decide(command, state):
            state = PROMISE.evolve(state, event)
            events.append(event)
    return events


def state_of(*commands: Command) -> PromiseState:
    return PROMISE.fold(told(*commands))


def names(*commands: Command) -> list[str]:
    return [event.event_name() for event in told(*commands)]


def test_r18_a_promise_is_made_with_due_owner_and_reminder() -> None:
    (made,) = told(make())
    assert isinstance(made, PromiseMade)
    assert (made.owner, made.due_at, made.remind_at, made.at) == ("person-3", at(DUE), at(8), at(0))
    assert [(mark.kind, mark.at) for mark in state_of(make()).pending()] == [("reminder", at(8)), ("break", at(DUE))]
    given(PROMISE, told(make())).when(make()).then_refused("promise_made_once")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"due": at(0)}, "promise_due_passed"),
        ({"due": at(-1)}, "promise_due_passed"),
        ({"due": at(24 * 366 * 11)}, "promise_too_far"),
        ({"remind": at(DUE)}, "promise_reminder_out_of_place"),
        ({"remind": at(-0.1)}, "promise_reminder_out_of_place"),
    ],
)
def test_a_promise_is_due_ahead_and_reminded_before(wrong: dict[str, Any], code: str) -> None:
    given(PROMISE).when(make(**wrong)).then_refused(code)


@pytest.mark.parametrize(("hours", "late", "broken"), [(9, 0, False), (DUE, 0, False), (11, 3600, True)])
def test_r18_kept_in_time_at_the_due_instant_or_late(hours: float, late: int, broken: bool) -> None:
    commands: list[Command] = [make(), broke(), keep(hours)] if broken else [make(), keep(hours)]
    kept = told(*commands)[-1]
    assert isinstance(kept, PromiseKept)
    assert (kept.late_seconds, kept.broken) == (late, broken)
    reading = state_of(*commands).outlook()
    assert (reading.state, reading.broken_at is not None) == ("kept", broken)


def test_r18_a_broken_promise_stays_broken_in_the_count_and_cannot_be_moved() -> None:
    past = given(PROMISE, told(make(), broke()))
    past.when(move(11, 20)).then_refused("promise_broken")
    late = state_of(make(), broke(), keep(12)).outlook()
    assert (late.state, late.broken_at, late.late_seconds) == ("kept", at(DUE), 7200)


def test_a_promise_is_broken_for_a_move_though_nobody_announced_it_yet() -> None:
    given(PROMISE, told(make())).when(move(10.5, 20)).then_refused("promise_broken")


def test_a_moved_promise_is_due_then_and_reminds_anew() -> None:
    state = state_of(make(), AnnounceReminder(subject=SUBJECT, at=at(8)), move(9, 30))
    assert [(mark.kind, mark.at) for mark in state.pending()] == [("reminder", at(29.5)), ("break", at(30))]
    assert state.outlook().previous == (at(DUE),)
    assert names(make(), move(9, 30), broke(20), broke(30)) == ["PromiseMade", "PromiseMoved", "PromiseBroken"]
    given(PROMISE, told(make())).when(move(1, DUE)).then_nothing()
    given(PROMISE, told(make())).when(move(5, 5)).then_refused("promise_due_passed")


def test_what_is_settled_is_neither_moved_nor_passed_on_nor_settled_otherwise() -> None:
    kept, gone = given(PROMISE, told(make(), keep(5))), given(PROMISE, told(make(), withdraw(5)))
    kept.when(keep(6)).then_nothing()
    gone.when(withdraw(6)).then_nothing()
    for past in (kept, gone):
        past.when(move(6, 20)).then_refused("promise_settled")
        past.when(PassOnPromise(subject=SUBJECT, at=at(6), owner="person-4")).then_refused("promise_settled")
        past.when(broke()).then_nothing()
    kept.when(withdraw(6)).then_refused("promise_settled")
    gone.when(keep(6)).then_refused("promise_settled")
    kept.when(withdraw(6, cause="event")).then_nothing()
    given(PROMISE, told(make())).when(keep(-1)).then_refused("before_promise")
    given(PROMISE, told(make())).when(keep(-1, cause="event")).then_nothing()
    given(PROMISE).when(keep(1)).then_nothing()


def test_a_promise_is_passed_on_to_somebody_or_to_the_team() -> None:
    passed = told(make(), PassOnPromise(subject=SUBJECT, at=at(1), owner=None))[-1]
    assert (passed.model_dump()["previous_owner"], passed.model_dump()["owner"]) == ("person-3", None)
    assert state_of(make(), PassOnPromise(subject=SUBJECT, at=at(1), owner="person-4")).outlook().owner == "person-4"
    given(PROMISE, told(make())).when(PassOnPromise(subject=SUBJECT, at=at(1), owner="person-3")).then_nothing()


def test_of_two_changes_the_one_told_last_counts_though_its_clock_is_behind() -> None:
    on = [
        PassOnPromise(subject=SUBJECT, at=at(hours), owner=owner) for hours, owner in ((2, "z"), (2, "a"), (1.9, "b"))
    ]
    assert state_of(make(), *on).outlook().owner == "b"
    assert state_of(make(), move(2, 30), move(1.9, 20)).outlook().due == at(20)


def test_a_breach_is_withdrawn_where_it_was_kept_in_time_but_told_late() -> None:
    events = told(make(), broke(), keep(9, cause="contact"))
    assert [type(event) for event in events[1:]] == [PromiseBroken, PromiseBreachWithdrawn, PromiseKept]
    assert events[-1].model_dump()["broken"] is False
    assert names(make(), broke(), withdraw(9))[-2:] == ["PromiseBreachWithdrawn", "PromiseWithdrawn"]
    assert names(make(), broke(), keep(12), keep(9, cause="x"))[-2:] == ["PromiseBreachWithdrawn", "PromiseKept"]


def test_a_reminder_is_given_once_for_a_due_instant_and_not_after_the_breach() -> None:
    remind = AnnounceReminder(subject=SUBJECT, at=at(9))
    (reminded,) = told(make(), remind, remind)[1:]
    assert reminded.model_dump()["at"] == at(8)
    given(PROMISE, told(make())).when(AnnounceReminder(subject=SUBJECT, at=at(7))).then_nothing()
    given(PROMISE, told(make(), broke())).when(remind).then_nothing()
    given(PROMISE, told(make())).when(broke(9.9)).then_nothing()


KINDS: tuple[FactKind, ...] = ("moved", "passed_on", "kept", "withdrawn")
HOURS = st.integers(0, 30)
FACTS = st.builds(
    lambda kind, hour, ahead, owner: Fact(
        kind, at(hour), at(hour + ahead) if kind == "moved" else None, None, owner if kind == "passed_on" else None
    ),
    st.sampled_from(KINDS),
    HOURS,
    st.integers(1, 20),
    st.sampled_from([None, "a", "b"]),
)
MADE = Fact("made", at(0), at(DUE), at(8), "person-3")


@any_of(st.lists(FACTS, max_size=5, unique_by=lambda fact: (fact.kind, fact.at)), st.randoms(), st.none() | HOURS)
def test_r18_the_order_of_telling_changes_nothing(facts: list[Fact], random: Any, hour: int | None) -> None:
    everything = [MADE, *facts]
    shuffled = everything.copy()
    random.shuffle(shuffled)
    now = None if hour is None else at(hour)
    assert read(everything, now) == read(shuffled, now)


@any_of(st.integers(0, 2 * DUE * 60), st.lists(FACTS, max_size=4))
def test_r18_a_promise_kept_before_it_is_due_is_never_broken(minute: int, others: list[Fact]) -> None:
    """Whatever is told beside it: kept by its due instant, no reading at any time shows it broken."""
    kept = Fact("kept", START + timedelta(minutes=minute))
    unmoved = [fact for fact in others if fact.kind == "passed_on" or (fact.kind != "moved" and fact.at >= kept.at)]
    for hour in (*range(40), None):
        reading = read([MADE, kept, *unmoved], None if hour is None else at(hour))
        assert reading is not None
        if kept.at <= at(DUE):
            assert reading.broken_at is None
        elif hour is None or hour >= DUE:
            assert reading.broken_at == at(DUE)


@any_of(st.lists(st.tuples(st.sampled_from(["keep", "withdraw"]), HOURS), min_size=1, max_size=4))
def test_r18_commands_told_in_any_order_leave_the_same_promise(steps: list[tuple[str, int]]) -> None:
    commands = [keep(n, cause=f"c{n}") if kind == "keep" else withdraw(n, cause=f"c{n}") for kind, n in steps]
    shown = {state_of(make(), *(order)).outlook() for order in permutations(commands)}
    assert len(shown) == 1
    late = {state_of(make(), broke(), *order).outlook() for order in permutations(commands)}
    assert late == shown
    standing = {state_of(make(), broke(), *order).broken_told is not None for order in permutations(commands)}
    assert standing == {next(iter(shown)).broken_at is not None}
