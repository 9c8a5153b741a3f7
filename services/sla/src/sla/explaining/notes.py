"""What happened to a clock at an instant: targets, warnings, breaches, verdicts, corrections. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final, NamedTuple

from opsledger_events.contexts.sla import (
    RetargetPolicy,
    SLABreached,
    SLABreachWithdrawn,
    SLAClockCancelled,
    SLAClockRescheduled,
    SLAClockRestated,
    SLAClockStarted,
    SLAClockTermsChanged,
    SLAWarningReached,
)
from sla.domain.clock import Fact, Mark, Reading, State, Terms, agreed_after, marks, read
from sla.explaining.moves import MOST, due_if_running
from sla.explaining.story import Story, Told

_ZERO: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class Note:
    """Something at an instant. What `corrects` stands where it became known, and cuts no interval."""

    kind: str
    at: datetime
    told: Told | None
    values: Mapping[str, Any] = field(default_factory=dict)
    corrects: bool = False


class Policy(NamedTuple):
    """What another target means, to be said in the reader's language."""

    code: RetargetPolicy


def notes_of(story: Story, facts: Sequence[Fact], terms: Terms, reading: Reading, as_of: datetime) -> list[Note]:
    """Everything that happened up to `as_of`; of one instant in the order in which it took effect."""
    found = [*_changes(story, facts, terms, reading, as_of)]
    found += _targets(story, facts, terms)
    found += _lives(story, as_of)
    found += _thresholds(story, facts, terms, as_of)
    found += _corrections(story, as_of)
    return sorted(found, key=lambda note: (note.at, not note.kind.startswith("opened")))


def _targets(story: Story, facts: Sequence[Fact], terms: Terms) -> Iterator[Note]:
    """The opening, and each target that took the place of another."""
    for n, fact in enumerate(facts):
        told = story.teller(fact)
        if fact.kind == "opened" and n == 0 and fact.target is None:
            yield Note("opened_without_target", fact.at, told)
        if fact.kind not in ("opened", "targeted") or fact.target is None:
            continue
        before = agreed_after(facts[:n], terms.pausing)
        if agreed_after(facts[: n + 1], terms.pausing) == before:
            continue
        due = due_if_running(facts[: n + 1], terms, fact.at) if n <= MOST else None
        now = read(facts[: n + 1], terms, fact.at)
        after = _time(0 if now is None else now.target or 0)
        if before is None:
            kind = "opened" if fact.kind == "opened" else "target_agreed"
            yield Note(kind, fact.at, told, {"target": after, "due": due or fact.at})
            continue
        was = read(facts[:n], terms, fact.at)
        values = {
            "before": _time(0 if was is None else was.target or 0),
            "after": after,
            "policy": Policy(terms.retarget),
            "elapsed": now.elapsed if now else _ZERO,
        }
        if terms.retarget == "keep_remaining":
            yield Note("target_kept", fact.at, told, {"target": after, "elapsed": values["elapsed"]})
        elif now is None or now.state == "paused" or due is None:
            yield Note("retargeted_paused", fact.at, told, values)
        else:
            yield Note("retargeted", fact.at, told, {**values, "due": due})


def _changes(story: Story, facts: Sequence[Fact], terms: Terms, reading: Reading, as_of: datetime) -> Iterator[Note]:
    """Where the clock went on, stopped or ended."""
    steps: list[tuple[State, State, datetime, str]] = [
        (before.state, after.state, after.start, after.event) for before, after in pairwise(reading.trace)
    ]
    last = reading.trace[-1].state if reading.trace else "running"
    if reading.state != last:  # at the very instant; an interval without length is no part of the trace
        steps.append((last, reading.state, as_of, facts[-1].event))
    for count, (before, after, at, event) in enumerate(steps):
        told = story.teller_of(event, at)
        if after == "cancelled":
            ends = (one.reason for teller, one in story.of(SLAClockCancelled) if told and teller.id == told.id)
            yield Note("without_target" if next(ends, "") == "no_target" else "cancelled", at, told)
        elif after == "stopped" and before != "stopped":
            yield _verdict(read(facts, terms, at), at, told)
        elif after == "running" and before in ("paused", "stopped"):
            due = due_if_running([fact for fact in facts if fact.at <= at], terms, at) if count <= MOST else None
            kind = "resumed" if before == "paused" else "continued"
            if due is None:
                yield Note(f"{kind}_plain", at, told)
            elif before == "paused":
                yield Note(kind, at, told, {"due": due})
            else:
                now = read(facts, terms, at)
                values: dict[str, Any] = {"due": due, "elapsed": now.elapsed if now else _ZERO}
                if terms.reopen == "restart" and now is not None and now.remaining is not None:
                    kind, values = "restarted", {**values, "target": now.remaining}
                yield Note(kind, at, told, values)


def _verdict(now: Reading | None, at: datetime, told: Told | None) -> Note:
    if now is None or now.target is None:
        return Note("stopped_plain", at, told)
    target = timedelta(seconds=now.target)
    left = target - now.elapsed
    if now.met:
        return Note("met", at, told, {"target": target, "left": left})
    return Note("missed", at, told, {"target": target, "over": max(-left, _ZERO)})


def _lives(story: Story, as_of: datetime) -> Iterator[Note]:
    """A clock that lost its target and got one again began anew; what was before is told by its events."""
    begun = [n for n, (_, event) in enumerate(story.events) if isinstance(event, SLAClockStarted)]
    for told, event in story.events[: begun[-1]] if begun else ():
        if isinstance(event, SLAClockCancelled) and told.happened_at <= as_of:
            yield Note("without_target", told.happened_at, told)


def _thresholds(story: Story, facts: Sequence[Fact], terms: Terms, as_of: datetime) -> Iterator[Note]:
    """Warnings and breaches as they are true now; and those announced that turned out not to be."""
    ended = next((fact.at for fact in facts if fact.kind == "cancelled"), as_of)
    true = {
        mark.key: mark
        for mark in marks([fact for fact in facts if fact.kind != "cancelled"], terms)
        if mark.at <= min(ended, as_of)
    }
    announced: dict[tuple[int | None, int], tuple[Told, datetime]] = {}
    standing = {(one.percent, one.target, one.at) for one in story.state.announced}
    for told, event in story.of(SLAWarningReached) + story.of(SLABreached):
        percent = event.percent if isinstance(event, SLAWarningReached) else None
        target = event.target_seconds or 0
        if told.happened_at > as_of:
            continue
        key = (percent, target)
        stands = (percent, target, told.happened_at) in standing and key in true
        if stands and (percent is None or true[key].at == told.happened_at):
            announced[key] = (told, told.happened_at)
        elif percent is not None:
            yield Note("warning_untrue", told.happened_at, told, {"percent": percent, "target": _time(target)})
        else:
            yield Note("breach_untrue", told.happened_at, told, {"target": _time(target)})
    provisional = {told.id for told, event in story.of(SLABreached) if event.provisional}
    for key, mark in true.items():
        teller, at = announced.get(key, (None, mark.at))
        yield _threshold(mark, min(at, mark.at), teller, provisional, facts)


def _threshold(mark: Mark, at: datetime, told: Told | None, provisional: set[str], facts: Sequence[Fact]) -> Note:
    values: dict[str, Any] = {"target": _time(mark.target)}
    if mark.percent is not None:
        return Note("warning" if told else "warning_silent", at, told, {**values, "percent": mark.percent})
    if told is None:
        return Note("breached_silent", at, None, values)
    if told.id in provisional:
        return Note("breached_provisional", at, told, values)
    at_once = any(fact.kind == "targeted" and fact.at == at for fact in facts)
    return Note("breached_at_once" if at_once and mark.due < at else "breached", at, told, values)


def _corrections(story: Story, as_of: datetime) -> Iterator[Note]:
    for told, event in story.events:
        if told.happened_at > as_of:
            continue
        values = {"happened": told.happened_at}
        if isinstance(event, SLABreachWithdrawn):
            yield Note("withdrawn", told.known_at, told, {**values, "due": event.due_at}, corrects=True)
        elif isinstance(event, SLAClockRescheduled):
            yield _rescheduled(told, event)
        elif isinstance(event, SLAClockTermsChanged):
            yield _other_terms(told, event)
        elif isinstance(event, SLAClockRestated):
            yield Note("restated", told.known_at, told, values, corrects=True)


def _rescheduled(told: Told, event: SLAClockRescheduled) -> Note:
    values: dict[str, Any] = {"revision": event.calendar_revision, "before": event.previous_calendar_revision}
    if event.due_at is None:
        return Note("rescheduled_paused", told.happened_at, told, values, corrects=True)
    return Note("rescheduled", told.happened_at, told, {**values, "due": event.due_at}, corrects=True)


def _other_terms(told: Told, event: SLAClockTermsChanged) -> Note:
    same = event.agreement == event.previous_agreement
    kind = "terms_revised" if same else "terms_changed"
    values: dict[str, Any] = {"revision": event.agreement_revision, "before": event.previous_agreement_revision}
    if event.due_at is None:
        return Note(f"{kind}_paused", told.happened_at, told, values, corrects=True)
    return Note(kind, told.happened_at, told, {**values, "due": event.due_at}, corrects=True)


def _time(seconds: int) -> timedelta:
    return timedelta(seconds=seconds)
