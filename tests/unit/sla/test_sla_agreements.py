"""Agreements of customers, teams and vendors: what they may promise, and what is refused with what to change."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from tests.unit.sla.test_sla_definitions import agreement

from opsledger_events.contexts.sla import AgreementDefined
from opsledger_runtime.errors import Invalid
from opsledger_runtime.testing.decider import given
from sla.domain.agreements import METRICS, METRICS_OF_TEAMS, metrics_in
from sla.domain.calendar import Calendar, Day, Hours, Span, always_open, weekly_hours, with_days
from sla.domain.commands import DefineAgreement
from sla.domain.definitions import DEFINITION
from sla.messages import ZH

OFFICE = weekly_hours("Asia/Shanghai", [Hours(day, *span) for day in range(5) for span in ((540, 720), (810, 1080))])
NIGHTS = weekly_hours("Asia/Shanghai", [Hours(day, 22 * 60, 30 * 60) for day in range(5)])
SELDOM = weekly_hours("UTC", [Hours(0, 0, 1)])
CLOSED_FOR_YEARS = with_days(
    weekly_hours("UTC", [Hours(0, 0, 60)]),
    tuple(Day(date.fromordinal(n), "closed", ()) for n in range(739_000, 741_000)),
)


def by(days: int, at: str | None = None) -> dict[str, Any]:
    return {"working_days": days, "at": at}


def target(priority: int = 1, **promised: Any) -> dict[str, Any]:
    return {"priority": priority, **promised}


def defined(command: DefineAgreement) -> AgreementDefined:
    (event,) = given(DEFINITION).when(command).events
    assert isinstance(event, AgreementDefined)
    return event


@pytest.mark.parametrize("kind", ["ola", "uc"])
def test_r83_a_team_or_a_vendor_promises_what_it_does_while_it_has_an_incident(kind: Any) -> None:
    promised = {f"{metric}_seconds": 60 for metric in METRICS_OF_TEAMS}
    event = defined(agreement(kind=kind, team="vendor-1", targets=(target(**promised),)))
    assert (event.kind, event.team, event.default) == (kind, "vendor-1", False)
    for metric in set(METRICS) - set(METRICS_OF_TEAMS):
        wrong = agreement(kind=kind, team="vendor-1", targets=(target(**{f"{metric}_seconds": 60}),))
        given(DEFINITION).when(wrong).then_refused("metric_not_of_teams")


def test_r83_an_ola_without_a_team_is_for_any_team() -> None:
    event = defined(agreement(kind="ola"))
    assert (event.team, event.default) == (None, False)


def test_an_agreement_promises_seconds_or_working_days_for_every_metric() -> None:
    wanted = target(response_seconds=900, contact_seconds=600, ownership_by=by(1), update_seconds=3600)
    wanted |= {"workaround_by": by(2, "12:00"), "resolution_by": by(250, "18:00")}
    event = defined(agreement(calendar=OFFICE, targets=(wanted,), retarget="proportional", reopen="new_clock"))
    assert event.targets == [wanted]
    assert metrics_in(event.targets[0]) == set(METRICS)
    assert (event.retarget, event.reopen) == ("proportional", "new_clock")


@pytest.mark.parametrize(
    "stated",
    [{"category": "network"}, {"criticality": "critical"}, {"priorities": (1,)}, {"kind": "ola"}],
)
def test_an_agreement_that_is_not_for_all_customers_incidents_is_not_the_default(stated: dict[str, Any]) -> None:
    assert not defined(agreement(**stated)).default


def test_the_same_priorities_in_another_order_change_nothing() -> None:
    targets = (target(1, response_seconds=5), target(2, response_seconds=5))
    first = given(DEFINITION).when(agreement(priorities=(2, 1), targets=targets)).events
    given(DEFINITION, first).when(agreement(priorities=(1, 2), targets=targets)).then_nothing()


@pytest.mark.parametrize(
    ("wrong", "code", "pointer"),
    [
        ({"kind": "uc"}, "team_required", "/team"),
        ({"team": "network"}, "team_without_ola", "/team"),
        ({"criticality": "severe"}, "unknown_criticality", "/criticality"),
        ({"criticality": "Critical"}, "unknown_criticality", "/criticality"),
        ({"priorities": (1, 0)}, "bad_priorities", "/priorities/1"),
        ({"priorities": (6, 1)}, "bad_priorities", "/priorities/0"),
        ({"priorities": (1, 1)}, "bad_priorities", "/priorities/1"),
        ({"priorities": (2,)}, "target_never_used", "/targets/0/priority"),
        ({"priorities": (1, 2)}, "priority_without_target", "/priorities/1"),
        (
            {"targets": (target(update_seconds=5, update_by=by(1)),)},
            "target_twice",
            "/targets/0/update_by",
        ),
        ({"targets": (target(update_by=by(0)),)}, "bad_working_days", "/targets/0/update_by/working_days"),
        ({"targets": (target(update_by=by(-3)),)}, "bad_working_days", "/targets/0/update_by/working_days"),
        ({"targets": (target(update_by=by(251)),)}, "bad_working_days", "/targets/0/update_by/working_days"),
        ({"targets": (target(update_by=by(1, "4pm")),)}, "bad_time", "/targets/0/update_by/at"),
        ({"targets": (target(update_by=by(1, "24:01")),)}, "bad_time", "/targets/0/update_by/at"),
        ({"targets": (target(update_by=by(1, "١٢:٠٠")),)}, "bad_time", "/targets/0/update_by/at"),
        ({"targets": (target(contact_seconds=0),)}, "invalid", "/targets/0/contact_seconds"),
        (
            {"calendar": SELDOM, "targets": (target(resolution_seconds=10**7),)},
            "beyond_horizon",
            "/targets/0/resolution_seconds",
        ),
        (
            {"calendar": CLOSED_FOR_YEARS, "targets": (target(resolution_by=by(1)),)},
            "beyond_horizon",
            "/targets/0/resolution_by",
        ),
        (
            {"calendar": OFFICE, "targets": (target(resolution_by=by(1, "18:01")),)},
            "outside_hours",
            "/targets/0/resolution_by/at",
        ),
        (
            {"calendar": OFFICE, "targets": (target(resolution_by=by(1, "12:30")),)},
            "outside_hours",
            "/targets/0/resolution_by/at",
        ),
    ],
)
def test_r89_what_could_never_work_is_refused_by_its_own_rule(wrong: dict[str, Any], code: str, pointer: str) -> None:
    refusal = given(DEFINITION).when(agreement(**wrong)).then_refused(code)
    assert isinstance(refusal, Invalid)
    assert [error.pointer for error in refusal.errors] == [pointer]
    assert all(error.detail.endswith(".") for error in refusal.errors)
    assert code == "invalid" or code in ZH


@pytest.mark.parametrize(
    ("calendar", "at"),
    [
        (OFFICE, "09:00"),
        (OFFICE, "12:00"),
        (OFFICE, "16:00"),
        (OFFICE, "18:00"),
        (always_open(), "00:00"),
        (always_open(), "24:00"),
        (NIGHTS, "23:00"),
        (NIGHTS, "05:00"),
    ],
)
def test_a_time_within_the_hours_is_agreed(calendar: Calendar, at: str) -> None:
    defined(agreement(calendar=calendar, targets=(target(resolution_by=by(1, at)),)))


def test_a_time_within_the_hours_of_one_working_day_of_the_year_is_agreed() -> None:
    saturday = Day(date(2027, 9, 25), "open", (Span(540, 1260),), "调休", "Make-up day")
    calendar = with_days(OFFICE, (saturday,))
    defined(agreement(calendar=calendar, targets=(target(resolution_by=by(1, "20:30")),)))
    much_later = datetime(2027, 9, 26, tzinfo=UTC)
    wrong = agreement(calendar=calendar, at=much_later, targets=(target(resolution_by=by(1, "20:30")),))
    given(DEFINITION).when(wrong).then_refused("outside_hours")


def test_the_hours_are_said_where_a_time_lies_outside() -> None:
    wrong = agreement(calendar=OFFICE, targets=(target(resolution_by=by(1, "20:30")),))
    refusal = given(DEFINITION).when(wrong).then_refused("outside_hours")
    assert "the hours are 09:00 to 12:00 and 13:30 to 18:00." in refusal.message


def test_several_rules_at_once_are_all_named() -> None:
    wrong = agreement(kind="uc", criticality="severe", targets=(target(9, update_seconds=5),))
    refusal = given(DEFINITION).when(wrong).then_refused("invalid")
    assert isinstance(refusal, Invalid)
    assert [error.pointer for error in refusal.errors] == [
        "/team",
        "/criticality",
        "/targets/0/priority",
        "/targets/0/update_seconds",
    ]
