"""What the answer of a preview shows."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from opsledger_events.contexts.sla import Metric
from opsledger_runtime.http.pages import encode_cursor
from sla.domain.preview import Outcome, Reason, Verdict
from sla.preview_findings import Change, Count, Found, Judged, Wanted
from sla.preview_words import NOTE, TRUNCATED, Sentence, sentence


class SentenceView(BaseModel):
    """One sentence in both languages."""

    zh: str = Field(serialization_alias="zh-CN")
    en: str


class VerdictsView(BaseModel):
    """Clocks by verdict. `breached`: missed, or exceeded while it runs; `none`: none that counts."""

    met: int
    breached: int
    running: int
    none: int


class CountView(BaseModel):
    """Clocks of incidents that were opened in `period`, by the last priority that is known of them."""

    period: str
    priority: int
    metric: Metric
    before: VerdictsView
    after: VerdictsView
    changed: int


class OutcomeView(BaseModel):
    """A clock: target and elapsed in whole seconds of working time. No agreement: none gave it a clock."""

    agreement: str | None
    agreement_revision: int | None
    verdict: Verdict
    target_seconds: int | None
    elapsed_seconds: int | None
    due_at: datetime | None


class ChangeView(BaseModel):
    """A clock whose verdict would be another. `after.agreement_revision` is null: the draft has none yet."""

    incident: str
    number: str
    organisation: str | None
    service: str | None
    opened_at: datetime
    priority: int
    metric: Metric
    before: OutcomeView
    after: OutcomeView
    reason: Reason
    sentence: SentenceView


class PreviewView(BaseModel):
    """What the draft would have made of history, as of `as_of`. Later pages have changes alone, `counts` is null.

    `incidents`: those that the draft is about; `looked_at_most`: how many are looked at, the latest first; `truncated`:
    there are more.
    """

    as_of: datetime
    time_zone: str
    period: str
    looked_at_most: int
    incidents: int | None
    truncated: bool | None
    counts: list[CountView] | None
    items: list[ChangeView]
    next: str | None
    notes: list[SentenceView]


def preview_view(found: Found, wanted: Wanted, *, later: bool) -> PreviewView:
    """`later`: it is not the first page."""
    shown, more = found.changes[: wanted.limit], found.changes[wanted.limit :]
    notes = [NOTE]
    if found.truncated:
        notes.append(Sentence(*(text.format(most=wanted.most) for text in TRUNCATED)))
    return PreviewView(
        as_of=wanted.now,
        time_zone=wanted.zone.key,
        period=wanted.period,
        looked_at_most=wanted.most,
        incidents=None if later else found.incidents,
        truncated=None if later else found.truncated,
        counts=None if later else [_count(key, found.counts[key]) for key in sorted(found.counts)],
        items=[_change(change, wanted) for change in shown],
        next=encode_cursor(more[0].place) if more else None,
        notes=[_sentence(note) for note in notes],
    )


def _count(key: tuple[str, int, Metric], count: Count) -> CountView:
    period, priority, metric = key
    return CountView(
        period=period,
        priority=priority,
        metric=metric,
        before=VerdictsView.model_validate(count.before),
        after=VerdictsView.model_validate(count.after),
        changed=count.changed,
    )


def _change(change: Change, wanted: Wanted) -> ChangeView:
    after = Judged(change.after, wanted.agreement if change.covered else None)
    return ChangeView(
        incident=change.place.incident,
        number=change.number,
        organisation=change.organisation,
        service=change.service,
        opened_at=change.place.at,
        priority=change.priority,
        metric=change.metric,
        before=_outcome(change.before),
        after=_outcome(after),
        reason=change.reason,
        sentence=_sentence(sentence(change)),
    )


def _outcome(judged: Judged) -> OutcomeView:
    found: Outcome = judged.outcome
    about: dict[str, Any] = {"agreement": judged.agreement, "agreement_revision": judged.revision}
    elapsed = None if found.elapsed is None else int(found.elapsed.total_seconds())
    return OutcomeView(
        **about, verdict=found.verdict, target_seconds=found.target, elapsed_seconds=elapsed, due_at=found.due
    )


def _sentence(given: Sentence) -> SentenceView:
    return SentenceView(zh=given.zh, en=given.en)
