"""Generated lives keep every rule, are told the same again, and look like a service desk's."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from incident import generating, wire
from incident.domain.commands import (
    AssignIncident,
    HoldIncident,
    OpenIncident,
    ReopenIncident,
    ResolveIncident,
    StartIncident,
)
from incident.domain.decider import DECIDER
from incident.domain.state import OPEN, Incident, State
from incident.generating import Plan, Profile, Step, life

UNTIL = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
START = UNTIL - timedelta(days=365)
SHANGHAI = timedelta(hours=8)
PROFILES: tuple[Profile, ...] = ("full", "brief")


def plan(count: int = 2_000, **given: Any) -> Plan:
    return Plan(**{"seed": 1, "first": 0, "count": count, "start": START, "until": UNTIL, **given})


def lives(of: Plan) -> list[list[Step]]:
    return [life(of, index, f"INC{index:07d}") for index in range(of.first, of.first + of.count)]


def outcome(steps: list[Step]) -> tuple[Incident, int]:
    """The incident after its life, and how many events it took; refusals are raised."""
    incident, events = DECIDER.initial_state, 0
    for step in steps:
        for event in DECIDER.decide(step.command, incident):
            incident, events = DECIDER.evolve(incident, event), events + 1
    return incident, events


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("seed", [0, 1, 987_654_321])
def test_every_life_is_legal_and_its_time_never_falls(profile: Profile, seed: int) -> None:
    for steps in lives(plan(profile=profile, seed=seed, stay_open=100)):
        outcome(steps)
        instants = [step.at for step in steps]
        assert instants == sorted(instants)
        assert instants[0] >= START
        assert instants[-1] < UNTIL


@pytest.mark.parametrize("profile", PROFILES)
def test_a_plan_tells_the_same_lives_again(profile: Profile) -> None:
    assert lives(plan(50, profile=profile)) == lives(plan(50, profile=profile))
    assert lives(plan(50, profile=profile)) != lives(plan(50, profile=profile, seed=2))


def test_what_happens_to_an_incident_does_not_depend_on_how_many_there_are() -> None:
    few, many = plan(1_000), plan(100_000)
    for index in range(500):
        told = [[step.command for step in life(of, index, "INC1")] for of in (few, many)]
        assert told[0] == told[1]


def test_ids_differ_by_seed_and_index_and_nothing_else() -> None:
    commands = {generating.command_id(seed, index) for seed in range(3) for index in range(100)}
    assert len(commands) == 300
    assert len({generating.incident_id(command) for command in commands}) == 300
    assert generating.command_id(1, 11) != generating.command_id(11, 1)


def test_a_full_life_has_about_five_events() -> None:
    found = [outcome(steps) for steps in lives(plan())]
    assert 4.5 < sum(events for _, events in found) / len(found) < 6
    states = Counter(incident.state for incident, _ in found)
    assert states[State.CLOSED] > 0.9 * len(found)
    assert states[State.CANCELLED] > 0
    commands = Counter(type(step.command) for steps in lives(plan()) for step in steps)
    for kind in (HoldIncident, ReopenIncident):
        assert commands[kind] > 20


def test_a_brief_life_is_opened_and_resolved() -> None:
    for steps in lives(plan(profile="brief")):
        incident, events = outcome(steps)
        assert (incident.state, events) == (State.RESOLVED, 2)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_newest_stay_open(profile: Profile) -> None:
    found = [outcome(steps)[0] for steps in lives(plan(profile=profile, stay_open=40))]
    assert all(incident.state in OPEN for incident in found[-40:])
    assert all(incident.state not in OPEN for incident in found[:-200])
    if profile == "full":
        assert {incident.state for incident in found[-40:]} == OPEN


def test_incidents_are_opened_in_order_over_the_whole_period_and_mostly_in_office_hours() -> None:
    opened = [steps[0].at for steps in lives(plan(5_000))]
    assert opened == sorted(opened)
    assert opened[0] < START + timedelta(days=2)
    assert opened[-1] > UNTIL - timedelta(days=2)
    days = Counter((at + SHANGHAI).weekday() for at in opened)
    assert min(days[day] for day in range(5)) > 3 * max(days[5], days[6])
    office = sum(8 <= (at + SHANGHAI).hour < 18 for at in opened if (at + SHANGHAI).weekday() < 5)
    assert office > 0.7 * len(opened)


def test_a_later_part_of_a_history_spreads_over_the_whole_period_too() -> None:
    later = plan(200, first=1_000)
    opened = [life(later, index, "INC1")[0].at for index in range(1_000, 1_200)]
    assert opened[0] < START + timedelta(days=5)
    assert opened[-1] > UNTIL - timedelta(days=5)


def test_a_period_of_an_hour_will_do() -> None:
    short = plan(300, start=UNTIL - timedelta(hours=1))
    for steps in lives(short):
        assert UNTIL - timedelta(hours=1) <= steps[0].at <= steps[-1].at < UNTIL


def test_every_word_would_be_taken_in_over_http() -> None:
    for steps in lives(plan(500, stay_open=50)):
        for step in steps:
            match step.command:
                case OpenIncident() as opening:
                    facts = {name: getattr(opening, name) for name in wire.Open.model_fields if name != "occurred_at"}
                    wire.Open(**facts)
                    assert opening.organisation is not None
                case AssignIncident(team, assignee):
                    wire.Assign(team=team, assignee=assignee)
                case StartIncident(assignee):
                    wire.Start(assignee=assignee)
                case HoldIncident(reason, note):
                    wire.Hold(reason=reason, note=note)
                case ResolveIncident(responsibility, resolution):
                    wire.Resolve(responsibility=responsibility, resolution=resolution)


def test_titles_hold_words_of_both_languages_common_ones_and_rare_ones() -> None:
    titles = [steps[0].command.title for steps in lives(plan()) if isinstance(steps[0].command, OpenIncident)]
    for word, least, most in (("打印机", 50, 400), ("Printer", 30, 400), ("prn-1", 1, 80)):
        assert least <= sum(word in title for title in titles) <= most, word
    assert len(set(titles)) > 0.9 * len(titles)


def test_choices_are_spread_evenly() -> None:
    choose = generating._Choices(1, 1)
    found = Counter(choose(10) for _ in range(20_000))
    assert set(found) == set(range(10))
    assert all(1_800 < count < 2_200 for count in found.values())
