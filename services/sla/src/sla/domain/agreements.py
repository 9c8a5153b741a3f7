"""What an agreement may promise, and what of it could never work: each refusal says what to change. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NamedTuple, get_args

from opsledger_events.contexts.cmdb import Criticality
from opsledger_events.contexts.sla import AgreementKind, Metric
from opsledger_events.names import is_reason
from opsledger_runtime.errors import FieldError, Invalid
from sla.domain.calendar import (
    Calendar,
    Span,
    add,
    add_working_days,
    elapsed,
    local_date,
    minutes,
    spans_on,
)
from sla.domain.calendar.hours import DAY_MINUTES, shown
from sla.domain.commands import DefineAgreement

METRICS: Final[tuple[Metric, ...]] = ("response", "contact", "ownership", "update", "workaround", "resolution")
"""In the order in which an incident goes through them."""

METRICS_OF_TEAMS: Final[tuple[Metric, ...]] = ("response", "ownership", "resolution")
"""What a team or a vendor can promise of the time in which it has an incident."""

PRIORITIES: Final = range(1, 6)
MOST_WORKING_DAYS: Final = 250
CRITICALITIES: Final[tuple[str, ...]] = get_args(Criticality)

_NAMES: Final[dict[str, tuple[Metric, str]]] = {
    f"{metric}_{unit}": (metric, unit) for metric in METRICS for unit in ("seconds", "by")
}
_YEAR: Final = timedelta(days=366)
_SHOWN: Final = 3


class Wrong(NamedTuple):
    """Something to change; `code` names the rule."""

    pointer: str
    detail: str
    code: str = "invalid"


def metrics_of(kind: AgreementKind) -> tuple[Metric, ...]:
    """What agreements of a kind may promise."""
    return METRICS if kind == "sla" else METRICS_OF_TEAMS


def metrics_in(target: Mapping[str, Any]) -> frozenset[Metric]:
    """What a target, which is for one priority, promises."""
    return frozenset(
        metric for metric in METRICS if target.get(f"{metric}_seconds") or target.get(f"{metric}_by") is not None
    )


def check(command: DefineAgreement) -> None:
    """Refuse what could never work.

    Raises:
        Invalid: with everything that is to be changed, and the code of the rule where it is one.
    """
    wrong = [*_party(command), *_selectors(command), *_targets(command), *_lists(command)]
    if wrong:
        codes = {one.code for one in wrong}
        raise Invalid(
            "The agreement cannot work as it is: " + " ".join(one.detail for one in wrong[:_SHOWN]),
            [FieldError(one.pointer, one.detail) for one in wrong],
            codes.pop() if len(codes) == 1 else "invalid",
        )


def _party(command: DefineAgreement) -> Iterator[Wrong]:
    if command.kind == "uc" and command.team is None:
        yield Wrong("/team", "Name the team of the vendor whose promise this is.", "team_required")
    if command.kind == "sla" and command.team is not None:
        yield Wrong(
            "/team",
            "An agreement with a customer names no team. Leave it out, or make it an ola or a uc.",
            "team_without_ola",
        )


def _selectors(command: DefineAgreement) -> Iterator[Wrong]:
    if command.criticality is not None and command.criticality not in CRITICALITIES:
        yield Wrong("/criticality", f"Choose one of {', '.join(CRITICALITIES)}.", "unknown_criticality")
    promised = {target["priority"] for target in command.targets}
    for n, priority in enumerate(command.priorities):
        at = f"/priorities/{n}"
        if priority not in PRIORITIES:
            yield Wrong(at, "Priorities count from 1 (highest) to 5.", "bad_priorities")
        elif command.priorities.index(priority) != n:
            yield Wrong(at, f"Priority {priority} is there already.", "bad_priorities")
        elif priority not in promised and promised <= set(command.priorities):
            detail = f"Priority {priority} has no target. Give it one, or leave it to other agreements."
            yield Wrong(at, detail, "priority_without_target")


def _targets(command: DefineAgreement) -> Iterator[Wrong]:
    if not command.targets:
        yield Wrong("/targets", "Give a target for at least one priority.")
    priorities = [target["priority"] for target in command.targets]
    for n, target in enumerate(command.targets):
        at, priority = f"/targets/{n}", target["priority"]
        if priority not in PRIORITIES:
            yield Wrong(f"{at}/priority", "Priorities count from 1 (highest) to 5.")
        elif priorities.index(priority) != n:
            yield Wrong(f"{at}/priority", f"Priority {priority} has a target already.")
        elif command.priorities and priority not in command.priorities:
            yield Wrong(
                f"{at}/priority",
                f"The agreement is not for priority {priority}. Add it to priorities, or take this target away.",
                "target_never_used",
            )
        yield from _target(command, at, target)


def _target(command: DefineAgreement, at: str, target: Mapping[str, Any]) -> Iterator[Wrong]:
    given = [name for name in _NAMES if target.get(name) is not None]
    if not given:
        yield Wrong(at, "Give a target for at least one metric, such as response_seconds.")
    allowed = metrics_of(command.kind)
    for name in given:
        metric, unit, value = *_NAMES[name], target[name]
        if metric not in allowed:
            yield Wrong(
                f"{at}/{name}",
                f"{command.kind}: only {', '.join(allowed)} can be promised. Leave {name} out, or put it into an sla.",
                "metric_not_of_teams",
            )
        elif unit == "by" and f"{metric}_seconds" in given:
            yield Wrong(f"{at}/{name}", f"Give {metric}_seconds or {name}, one of the two.", "target_twice")
        elif (found := _wrong_value(unit, value, f"{at}/{name}")) is not None:
            yield found
        else:
            yield from _in_hours(command.calendar, command.at, f"{at}/{name}", unit, value)


def _wrong_value(unit: str, value: Any, at: str) -> Wrong | None:
    if unit == "seconds":
        return None if value > 0 else Wrong(at, "A target is longer than 0 seconds.")
    if not 1 <= value["working_days"] <= MOST_WORKING_DAYS:
        return Wrong(f"{at}/working_days", f"Count 1 to {MOST_WORKING_DAYS} working days.", "bad_working_days")
    if value.get("at") is not None:
        try:
            minutes(value["at"])
        except Invalid:
            return Wrong(f"{at}/at", "Write HH:MM, 00:00 to 24:00.", "bad_time")
    return None


def unreachable(targets: Sequence[Mapping[str, Any]], calendar: Calendar, at: datetime) -> bool:
    """Whether a calendar makes any of the targets, which are right in themselves, impossible from `at` on."""
    return any(
        True
        for target in targets
        for name, (_, unit) in _NAMES.items()
        if target.get(name) is not None
        for _ in _in_hours(calendar, at, "", unit, target[name])
    )


def _in_hours(calendar: Calendar, start: datetime, at: str, unit: str, value: Any) -> Iterator[Wrong]:
    if unit == "seconds":
        if not reaches(calendar, start, value):
            yield Wrong(at, "The calendar never reaches it. Shorten it or open more hours.", "beyond_horizon")
        return
    if not opens_within_a_year(calendar, start) or not _day_comes(calendar, start, value["working_days"]):
        yield Wrong(at, "The calendar never reaches it. Count fewer working days or open more hours.", "beyond_horizon")
    elif value.get("at") is not None and not _open_at(calendar, start, minutes(value["at"])):
        yield Wrong(
            f"{at}/at",
            f"No working day of the coming year is open at {value['at']}: {_usual_hours(calendar, start)}. Choose a"
            " time within, or leave it out for the end of the day.",
            "outside_hours",
        )


def reaches(calendar: Calendar, start: datetime, seconds: int) -> bool:
    """Whether so much working time passes within the horizon, and the first of it within a year."""
    if not opens_within_a_year(calendar, start):
        return False
    try:
        add(calendar, start, timedelta(seconds=seconds))
    except (Invalid, OverflowError):
        return False
    return True


def opens_within_a_year(calendar: Calendar, start: datetime) -> bool:
    """Whether any working time passes in the year after `start`."""
    return elapsed(calendar, start, start + _YEAR) > timedelta(0)


def _day_comes(calendar: Calendar, start: datetime, working_days: int) -> bool:
    try:
        add_working_days(calendar, start, working_days)
    except (Invalid, OverflowError):
        return False
    return True


def _open_at(calendar: Calendar, start: datetime, minute: int) -> bool:
    """Whether any working day has `minute` in its hours, those of the night before included."""
    return any(
        span.opens <= moment <= span.closes
        for before, hours in _days_of_a_year(calendar, local_date(calendar, start))
        for moment, spans in ((minute, hours), (minute + DAY_MINUTES, before))
        for span in spans
    )


def _usual_hours(calendar: Calendar, start: datetime) -> str:
    found: Counter[tuple[Span, ...]] = Counter()
    for (_, hours), days in _days_of_a_year(calendar, local_date(calendar, start)).items():
        found[hours] += days
    usual = [" and ".join(shown(span) for span in hours) for hours, _ in found.most_common(_SHOWN)]
    return "the hours are " + ", or ".join(usual)


@lru_cache(maxsize=32)
def _days_of_a_year(calendar: Calendar, first: date) -> Mapping[tuple[tuple[Span, ...], tuple[Span, ...]], int]:
    """How many working days of the year after `first` have which hours, behind those of the day before them."""
    hours = [spans_on(calendar, first + timedelta(days=n)) for n in range(_YEAR.days + 1)]
    return Counter((before, spans) for before, spans in pairwise(hours) if spans)


def _lists(command: DefineAgreement) -> Iterator[Wrong]:
    for n, percent in enumerate(command.warning_percent):
        if not 1 <= percent <= 100:
            yield Wrong(f"/warning_percent/{n}", "A warning is at 1 to 100 percent of the target.")
        elif command.warning_percent.index(percent) != n:
            yield Wrong(f"/warning_percent/{n}", f"{percent} percent is there already.")
    for n, reason in enumerate(command.pausing_reasons):
        if not is_reason(reason):
            yield Wrong(f"/pausing_reasons/{n}", "A reason is written like awaiting_requester.")
        elif command.pausing_reasons.index(reason) != n:
            yield Wrong(f"/pausing_reasons/{n}", f"{reason} is there already.")
