"""Calendars and agreements: what is refused, and what makes a revision."""

from datetime import UTC, datetime
from typing import Any

import pytest

from opsledger_events.contexts.sla import AgreementDefined, CalendarDefined
from opsledger_runtime.errors import Invalid
from opsledger_runtime.testing.decider import given
from sla.domain.calendar import always_open
from sla.domain.commands import DefineAgreement, DefineCalendar
from sla.domain.definitions import DEFINITION

ALWAYS = DefineCalendar("全天候", always_open().definition())
T0 = datetime(2026, 11, 23, tzinfo=UTC)


def agreement(**given_: Any) -> DefineAgreement:
    told: dict[str, Any] = {
        "name": "Gold",
        "calendar_id": "c",
        "calendar": always_open(),
        "targets": ({"priority": 1, "response_seconds": 900, "resolution_seconds": 3600},),
        "pausing_reasons": ("awaiting_requester",),
        "warning_percent": (75,),
        "at": T0,
    }
    return DefineAgreement(**{**told, **given_})


def test_r89_each_definition_gets_the_next_revision() -> None:
    first = given(DEFINITION).when(ALWAYS).events
    assert isinstance(first[0], CalendarDefined)
    assert first[0].revision == 1
    second = given(DEFINITION, first).when(DefineCalendar("24×7", always_open().definition())).events
    assert isinstance(second[0], CalendarDefined)
    assert second[0].revision == 2


def test_a_definition_that_changes_nothing_is_no_event() -> None:
    given(DEFINITION, given(DEFINITION).when(ALWAYS).events).when(ALWAYS).then_nothing()
    given(DEFINITION, given(DEFINITION).when(agreement()).events).when(agreement()).then_nothing()


def test_a_replaced_default_calendar_stays_the_default() -> None:
    first = given(DEFINITION).when(DefineCalendar("x", always_open().definition(), default=True)).events
    second = given(DEFINITION, first).when(ALWAYS).events
    assert isinstance(second[0], CalendarDefined)
    assert second[0].default is True


def test_an_agreement_without_organisation_and_service_is_the_default() -> None:
    for given_, default in (({}, True), ({"organisation": "acme"}, False), ({"service": "core"}, False)):
        event = given(DEFINITION).when(agreement(**given_)).events[0]
        assert isinstance(event, AgreementDefined)
        assert event.default is default


def test_an_id_means_one_thing() -> None:
    given(DEFINITION, given(DEFINITION).when(ALWAYS).events).when(agreement()).then_refused("id_taken")
    given(DEFINITION, given(DEFINITION).when(agreement()).events).when(ALWAYS).then_refused("id_taken")


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"targets": ()}, "/targets"),
        ({"targets": ({"priority": 1},)}, "/targets/0"),
        ({"targets": ({"priority": 1, "response_seconds": 0},)}, "/targets/0/response_seconds"),
        ({"targets": ({"priority": 1, "resolution_seconds": -5},)}, "/targets/0/resolution_seconds"),
        ({"targets": ({"priority": 0, "response_seconds": 5},)}, "/targets/0/priority"),
        ({"targets": ({"priority": 6, "response_seconds": 5},)}, "/targets/0/priority"),
        (
            {"targets": ({"priority": 2, "response_seconds": 5}, {"priority": 2, "response_seconds": 6})},
            "/targets/1/priority",
        ),
        ({"warning_percent": (0,)}, "/warning_percent/0"),
        ({"warning_percent": (75, 101)}, "/warning_percent/1"),
        ({"warning_percent": (75, 75)}, "/warning_percent/1"),
        ({"pausing_reasons": ("Awaiting requester",)}, "/pausing_reasons/0"),
        ({"pausing_reasons": ("等待",)}, "/pausing_reasons/0"),
        ({"pausing_reasons": ("a" * 41,)}, "/pausing_reasons/0"),
        ({"pausing_reasons": ("other\n",)}, "/pausing_reasons/0"),
        ({"pausing_reasons": ("a", "a")}, "/pausing_reasons/1"),
    ],
)
def test_r89_an_agreement_that_cannot_work_is_refused_with_what_to_change(wrong: dict[str, Any], pointer: str) -> None:
    refusal = given(DEFINITION).when(agreement(**wrong)).then_refused("invalid")
    assert isinstance(refusal, Invalid)
    assert [error.pointer for error in refusal.errors] == [pointer]
    assert all(error.detail.endswith(".") for error in refusal.errors)
