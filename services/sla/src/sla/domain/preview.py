"""What an agreement would have made of an incident: the same clock, told the same story, under other terms. Pure.

A clock here is built from what happened to the incident, as `reactors` tell it, without commands and events. Where
nothing was reported late it is the clock that the agreement would have had: `tests/unit/sla/test_sla_preview.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from opsledger_events.contexts.sla import AgreementDefined, Metric
from sla.domain.calendar import Calendar
from sla.domain.clock import Reading, Terms, judge
from sla.domain.measures import IncidentFact, Measure, beginnings, clock_facts
from sla.domain.targets import Target, read_target

Verdict = Literal["met", "breached", "running", "none"]
"""`breached`: missed, or exceeded while it still runs. `none`: no clock, or one that counts nowhere."""

Reason = Literal["target", "working_hours", "pauses", "priority_without_target", "newly_covered", "no_longer_covered"]

METRICS: Final[tuple[Metric, ...]] = ("response", "contact", "ownership", "workaround", "resolution")
"""Those of which an incident has one clock, or one that counts: of several resolutions the last."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What an agreement means for clocks: targets by priority for each metric, and the terms that they count in."""

    targets: Mapping[Metric, Mapping[int, Target]]
    terms: Terms


def promise(agreement: AgreementDefined, calendar: Calendar) -> Promise:
    """Of an agreement with the calendar that it names. Warnings change no verdict and are left out."""
    targets = {
        metric: {int(one["priority"]): found for one in agreement.targets if (found := read_target(one, metric))}
        for metric in METRICS
    }
    pausing = frozenset(agreement.pausing_reasons)
    terms = Terms(calendar, pausing, retarget=agreement.retarget, reopen=agreement.reopen)
    return Promise({metric: found for metric, found in targets.items() if found}, terms)


class Outcome(NamedTuple):
    """How a clock stands: `target` in seconds of working time, `elapsed` in working time."""

    verdict: Verdict
    target: int | None = None
    elapsed: timedelta | None = None
    due: datetime | None = None


NO_CLOCK: Final = Outcome("none")


def outcome(happenings: Sequence[IncidentFact], metric: Metric, promised: Promise, now: datetime) -> Outcome:
    """The clock that `promised` gives to what happened, in the order in which it was told, as of `now`."""
    targets, measure, reopen = promised.targets.get(metric), Measure("sla", metric), promised.terms.reopen
    begun = beginnings(measure, happenings) if targets else []
    if targets is None or not begun:
        return NO_CLOCK
    tried = reversed(begun) if reopen == "new_clock" else begun[:1]
    facts = next((one for b in tried if (one := clock_facts(measure, b, happenings, targets.get, reopen))), None)
    if not facts:
        return NO_CLOCK
    # Two machines' clocks differ a little: an event from just ahead of this one's has happened all the same.
    reading = judge(facts, promised.terms, max(now, facts[-1].at))
    return NO_CLOCK if reading is None else outcome_of(reading)


def outcome_of(reading: Reading) -> Outcome:
    """Of a clock as it shows."""
    if reading.state == "cancelled":
        return NO_CLOCK
    verdict: Verdict = "running" if reading.breached_at is None else "breached"
    if reading.met is not None:
        verdict = "met" if reading.met else "breached"
    return Outcome(verdict, reading.target, reading.elapsed, reading.due)


def why(
    happenings: Sequence[IncidentFact],
    metric: Metric,
    before: Verdict,
    was: Promise | None,
    draft: Promise | None,
    now: datetime,
) -> Reason:
    """Why the verdict of `draft` differs from `before`.

    `was`: what judged it, or would judge it now where nothing did; None: no such agreement covers the incident.
    What suffices alone is the reason; of several that do, and of several that are needed together, the first in the
    order target, working hours, pauses that brings the new verdict about.
    """
    if draft is None:
        return "no_longer_covered"
    after = outcome(happenings, metric, draft, now).verdict
    if after == "none":
        return "priority_without_target"
    if was is None:
        return "newly_covered"
    if before == "none":
        promised = outcome(happenings, metric, was, now).verdict != "none"
        return "newly_covered" if promised else "priority_without_target"
    alone: tuple[tuple[Reason, Promise], ...] = (
        ("target", _target(was, draft)),
        ("working_hours", _hours(was, draft)),
        ("pauses", _pauses(was, draft)),
    )
    for reason, mixed in alone:
        if mixed != was and outcome(happenings, metric, mixed, now).verdict == after:
            return reason
    both = _hours(_target(was, draft), draft)
    return "working_hours" if outcome(happenings, metric, both, now).verdict == after else "pauses"


def _target(was: Promise, draft: Promise) -> Promise:
    terms = replace(was.terms, retarget=draft.terms.retarget, reopen=draft.terms.reopen)
    return Promise(draft.targets, terms)


def _hours(was: Promise, draft: Promise) -> Promise:
    return replace(was, terms=replace(was.terms, calendar=draft.terms.calendar))


def _pauses(was: Promise, draft: Promise) -> Promise:
    return replace(was, terms=replace(was.terms, pausing=draft.terms.pausing))
