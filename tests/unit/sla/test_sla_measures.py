"""Which events of an incident begin a clock, end it and hold it: by metric, and by team."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opsledger_events.contexts.sla import Metric
from sla.domain.measures import (
    MEASURES,
    IncidentFact,
    Measure,
    beginnings,
    clock_facts,
    concerns,
    earlier_facts,
    last_priority,
    meaning,
)

T0 = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
TARGET = {1: 3600, 2: 7200}


def story(*steps: tuple[Any, ...]) -> list[IncidentFact]:
    """Opened with priority 1; then hours, kind, and what the event says."""
    told = [(0, "Opened", {"priority": 1}), *steps]
    return [
        IncidentFact(n, T0 + timedelta(hours=hours), f"e{n}", kind, more[0] if more else {})
        for n, (hours, kind, *more) in enumerate(told)
    ]


def team(name: str, person: str | None = None) -> dict[str, Any]:
    return {"team": name, "assignee": person}


LIFE = story(
    (1, "Assigned", team("desk")),
    (2, "Assigned", team("network")),
    (3, "Assigned", team("network", "person-3")),
    (4, "Started", {"assignee": "person-3"}),
    (5, "RequesterContacted"),
    (6, "WorkaroundProvided"),
    (7, "Noted"),
    (8, "Resolved"),
)


def clocks(measure: Measure, facts: list[IncidentFact], reopen: Any = "continue") -> list[tuple[Any, ...]]:
    """Each clock: its party, and what it is told, with its hours."""
    return [
        (one.party, *((fact.kind, (fact.at - T0) / timedelta(hours=1)) for fact in told))
        for one in beginnings(measure, facts)
        if (told := clock_facts(measure, one, facts, TARGET.get, reopen))
    ]


def ended(measure: Measure, facts: list[IncidentFact], reopen: Any = "continue") -> list[tuple[Any, ...]]:
    """Each clock: its party, when it began, and when it was first stopped."""
    return [
        (one[0], one[1][1], next((hours for kind, hours in one[1:] if kind == "stopped"), None))
        for one in clocks(measure, facts, reopen)
    ]


@pytest.mark.parametrize(
    ("metric", "found"),
    [
        ("response", [(None, 0, 4)]),
        ("contact", [(None, 1, 5)]),
        ("ownership", [(None, 0, 3)]),
        ("update", [(None, 0, 5), (None, 5, 7), (None, 7, 8)]),
        ("workaround", [(None, 0, 6)]),
        ("resolution", [(None, 0, 8)]),
    ],
)
def test_r89_what_is_promised_to_a_customer(metric: Metric, found: Any) -> None:
    assert ended(Measure("sla", metric), LIFE) == found


def test_r2_the_first_contact_is_counted_from_the_dispatch() -> None:
    (contact,) = clocks(Measure("sla", "contact"), LIFE)
    assert contact[:3] == (None, ("opened", 1), ("stopped", 5))
    undispatched = story((1, "RequesterContacted"), (2, "Resolved"))
    assert clocks(Measure("sla", "contact"), undispatched) == []


@pytest.mark.parametrize(
    ("metric", "found"),
    [
        ("response", [("desk", 1, 2), ("network", 2, 4)]),
        ("ownership", [("desk", 1, 2), ("network", 2, 3)]),
        ("resolution", [("desk", 1, 2), ("network", 2, 8)]),
    ],
)
@pytest.mark.parametrize("kind", ["ola", "uc"])
def test_r83_what_a_team_or_a_vendor_promises_of_each_stay(kind: Any, metric: Metric, found: Any) -> None:
    """From when it gets the incident until it leaves: several in one incident."""
    assert ended(Measure(kind, metric), LIFE) == found


def test_a_team_that_gets_it_again_has_a_clock_of_its_own_for_that() -> None:
    back = story((1, "Assigned", team("a")), (2, "Assigned", team("b")), (3, "Assigned", team("a")), (4, "Resolved"))
    assert ended(Measure("ola", "resolution"), back) == [("a", 1, 2), ("b", 2, 3), ("a", 3, 4)]


def test_a_team_that_gets_it_with_its_owner_owns_it_at_once() -> None:
    given = story((1, "Assigned", team("a", "person-1")), (2, "Assigned", team("b")))
    assert ended(Measure("ola", "ownership"), given) == [("b", 2, None)]


def test_another_person_of_the_same_team_is_the_same_stay() -> None:
    passed = story((1, "Assigned", team("a")), (2, "Assigned", team("a", "person-1")), (3, "Assigned", team("a")))
    assert ended(Measure("ola", "resolution"), passed) == [("a", 1, None)]


AGAIN = story((1, "Assigned", team("a")), (2, "Resolved"), (5, "Reopened"), (6, "Resolved"))


def test_r89_a_reopening_continues_a_clock_or_begins_a_second_one() -> None:
    whole = [("opened", 0), ("stopped", 2), ("continued", 5), ("stopped", 6)]
    assert clocks(Measure("sla", "resolution"), AGAIN)[0] == (None, *whole)
    first, second = clocks(Measure("sla", "resolution"), AGAIN, "new_clock")
    assert (first, second) == ((None, *whole[:2]), (None, ("opened", 5), ("stopped", 6)))
    stays = clocks(Measure("ola", "resolution"), AGAIN, "new_clock")
    assert stays == [("a", ("opened", 1), ("stopped", 2)), ("a", ("opened", 5), ("stopped", 6))]


def test_each_reopening_promises_the_next_update_anew() -> None:
    assert ended(Measure("sla", "update"), AGAIN) == [(None, 0, 2), (None, 5, 6)]


def test_a_note_after_the_end_promises_nothing() -> None:
    late = story((1, "Resolved"), (2, "Noted"), (3, "RequesterContacted"))
    assert ended(Measure("sla", "update"), late) == [(None, 0, 1)]


def test_a_clock_that_begins_while_the_incident_waits_begins_with_the_wait() -> None:
    waiting = story((1, "Held", {"reason": "lunch"}), (2, "Assigned", team("a")), (3, "Noted"), (4, "Resumed"))
    (stay,) = clocks(Measure("ola", "resolution"), waiting)
    assert stay == ("a", ("opened", 2), ("held", 2), ("targeted", 2), ("resumed", 4))
    _, update = beginnings(Measure("sla", "update"), waiting)
    assert [fact.kind for fact in earlier_facts(Measure("sla", "update"), update, waiting, "continue")] == [
        "held",
        "resumed",
    ]


def test_a_cancelled_incident_has_no_clock_that_counts() -> None:
    cancelled = story((1, "Noted"), (2, "Assigned", team("a")), (3, "Assigned", team("b")), (4, "Cancelled"))
    for measure in (Measure("sla", "update"), Measure("ola", "resolution"), Measure("sla", "response")):
        assert all(told[-1][0] == "cancelled" for told in clocks(measure, cancelled))


def test_a_stay_has_the_target_of_the_priority_that_it_begins_with() -> None:
    risen = story((1, "Prioritised", {"priority": 2}), (2, "Assigned", team("a")), (3, "Prioritised", {"priority": 5}))
    measure = Measure("ola", "resolution")
    told = clock_facts(measure, beginnings(measure, risen)[0], risen, TARGET.get, "continue")
    assert [(fact.kind, fact.target) for fact in told] == [("opened", 7200), ("cancelled", None)]


def test_the_priority_that_counts_is_the_present_one_or_that_of_when_it_was_done() -> None:
    changed = story(
        (1, "Started"),
        (2, "Prioritised", {"priority": 2}),
        (3, "Resolved"),
        (4, "Prioritised", {"priority": 3}),
        (5, "Closed"),
    )
    found = {metric: last_priority(Measure("sla", metric), changed) for metric in ("response", "resolution")}
    assert found == {"response": 1, "resolution": 2}
    assert last_priority(Measure("sla", "resolution"), [*changed, *story((6, "Reopened"))[1:]]) == 3


def test_a_team_that_gets_it_when_work_has_started_has_nothing_to_respond_to() -> None:
    going = story((1, "Assigned", team("a")), (2, "Started", {}), (3, "Assigned", team("b")))
    assert ended(Measure("ola", "response"), going) == [("a", 1, 2)]


@pytest.mark.parametrize("measure", MEASURES, ids="-".join)
def test_an_event_that_does_not_concern_a_measure_begins_none_of_its_clocks_and_means_nothing_to_them(
    measure: Measure,
) -> None:
    chance = random.Random(7)
    kinds = ("Started", "Held", "Resumed", "Prioritised", "Noted", "RequesterContacted", "WorkaroundProvided")
    kinds = (*kinds, "Resolved", "Reopened", "Closed", "Cancelled", "Assigned", "Assigned")
    for _ in range(200):
        steps: list[tuple[Any, ...]] = []
        for hours in range(1, 9):
            kind = chance.choice(kinds)
            about = team(chance.choice("ab"), chance.choice((None, "person-3"))) if kind == "Assigned" else {}
            steps.append((hours, kind, about))
        facts = story(*steps)
        begun = beginnings(measure, facts)
        for fact in facts:
            if not concerns(measure, fact):
                assert all(one.fact is not fact for one in begun)
                assert all(meaning(measure, party, fact) is None for party in (None, "a", "b"))
