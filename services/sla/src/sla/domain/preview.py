"""What an agreement would have made of an incident: the same clock, told the same story, under other terms. Pure.

A clock here is built from what happened to the incident, as `reactors` tell it, without commands and events. Where
nothing was reported late it is the clock that the agreement would have had: `tests/unit/sla/test_sla_preview.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from opsledger_events.contexts.sla import AgreementDefined, Metric
from sla.domain.calendar import Calendar
from sla.domain.clock import Fact, FactKind, Reading, Terms, judge

Verdict = Literal["met", "breached", "running", "none"]
"""`breached`: missed, or exceeded while it still runs. `none`: no clock, or one that counts nowhere."""

Reason = Literal["target", "working_hours", "pauses", "priority_without_target", "newly_covered", "no_longer_covered"]

METRICS: Final[tuple[Metric, ...]] = ("response", "resolution")
_BOTH: Final[dict[str, FactKind]] = {"Held": "held", "Resumed": "resumed", "Resolved": "stopped", "Closed": "stopped"}
_TOLD: Final[dict[Metric, dict[str, FactKind]]] = {
    "response": {**_BOTH, "Started": "stopped"},
    "resolution": {**_BOTH, "Reopened": "continued"},
}


class Happening(NamedTuple):
    """An event of an incident. `kind`: its name without `Incident`; `detail`: the reason of a wait."""

    kind: str
    at: datetime
    priority: int | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Promise:
    """What an agreement means for clocks: seconds by priority for each metric, and the terms that they count in."""

    response: Mapping[int, int]
    resolution: Mapping[int, int]
    terms: Terms

    def targets(self, metric: Metric) -> Mapping[int, int]:
        """Seconds by priority."""
        return self.response if metric == "response" else self.resolution


def promise(agreement: AgreementDefined, calendar: Calendar) -> Promise:
    """Of an agreement with the calendar that it names. Warnings change no verdict and are left out."""
    by_metric = [
        {int(target["priority"]): int(seconds) for target in agreement.targets if (seconds := target.get(name))}
        for name in ("response_seconds", "resolution_seconds")
    ]
    return Promise(by_metric[0], by_metric[1], Terms(calendar, frozenset(agreement.pausing_reasons)))


class Outcome(NamedTuple):
    """How a clock stands: `target` in seconds of working time, `elapsed` in working time."""

    verdict: Verdict
    target: int | None = None
    elapsed: timedelta | None = None
    due: datetime | None = None


NO_CLOCK: Final = Outcome("none")


def outcome(happenings: Sequence[Happening], metric: Metric, promised: Promise, now: datetime) -> Outcome:
    """The clock that `promised` gives to what happened, in the order in which it was told, as of `now`."""
    facts = clock_facts(happenings, metric, promised.targets(metric))
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


def clock_facts(happenings: Iterable[Happening], metric: Metric, targets: Mapping[int, int]) -> list[Fact]:
    """What the clock is told; empty where it never starts. A clock that lost its target starts anew with another."""
    told = _TOLD[metric]
    facts: list[Fact] = []
    earlier: list[Fact] = []
    opened: datetime | None = None
    ended = over = done = False  # `ended`: of its last target; `over`: the incident was cancelled; `done`: stopped
    priority: int | None = None
    target: int | None = None
    for n, (kind, at, changed, detail) in enumerate(happenings):
        if kind in ("Opened", "Prioritised"):
            priority = changed
        if kind == "Opened":
            opened = at
        if opened is None:
            continue
        fact = Fact(told[kind], at, "", n, detail) if kind in told else None
        if fact is not None:
            earlier.append(fact)
        if not facts or ended:
            if kind in ("Opened", "Prioritised") or (fact is not None and fact.kind == "continued"):
                wanted = targets.get(priority or 0)
                if wanted is not None and not _done(earlier):
                    target, ended, done = wanted, False, False
                    facts = [Fact("opened", opened, target=target)]
                    if kind != "Opened":
                        facts = [Fact("opened", opened), *earlier, Fact("targeted", at, "", n, None, target)]
        elif over:
            continue
        elif kind == "Cancelled":
            over = True
            facts.append(Fact("cancelled", at, "", n))
        elif kind == "Prioritised" or (done and fact is not None and fact.kind == "continued"):
            if fact is not None:
                done = False
                facts.append(fact)
            wanted = targets.get(priority or 0)
            if not done and wanted != target:  # a verdict stands
                ended, target = wanted is None, wanted
                facts.append(Fact("cancelled" if ended else "targeted", at, "", n, None, target))
        elif fact is not None:
            done = done or fact.kind == "stopped"
            facts.append(fact)
    return facts


def _done(earlier: Sequence[Fact]) -> bool:
    """Whether it was done when nothing was promised."""
    return next((one.kind == "stopped" for one in reversed(earlier) if one.kind in ("stopped", "continued")), False)


def why(
    happenings: Sequence[Happening],
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
    return replace(was, response=draft.response, resolution=draft.resolution)


def _hours(was: Promise, draft: Promise) -> Promise:
    return replace(was, terms=Terms(draft.terms.calendar, was.terms.pausing))


def _pauses(was: Promise, draft: Promise) -> Promise:
    return replace(was, terms=Terms(was.terms.calendar, draft.terms.pausing))
