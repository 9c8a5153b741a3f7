"""Runs a draft agreement over the incidents known here, newest first, in batches. Reads, and never writes.

What is expensive is pure and runs in a thread, a batch at a time, so that others are served meanwhile.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from opsledger_events.contexts.sla import Metric
from sla.domain.clock import judge
from sla.domain.measures import IncidentFact, Measure, last_priority
from sla.domain.preview import METRICS, NO_CLOCK, Outcome, Promise, outcome, outcome_of, promise, why
from sla.domain.selection import Candidate, Situation, choose, ranked
from sla.preview_findings import Change, Count, Found, Judged, Period, Place, Wanted
from sla.projections.clock import MEMORY
from sla.projections.definitions import Definitions, parse_agreement, parse_calendar

_AT_ONCE: Final = 250

_CLOCK: Final = (
    *("state", "agreement", "agreement_revision", "calendar", "calendar_revision", "target_seconds"),
    *("elapsed_seconds", "due_at", "met"),
)
# Looked up by incident one by one (`offset 0`), whatever the planner believed of the tables when they were empty.
_STANDING: Final = (
    f"left join lateral (select {', '.join(_CLOCK)},"
    " case when state in ('running', 'paused') then memory::text end as memory"
    " from clock where incident = opened.incident and metric = '{metric}' and kind = 'sla'"
    " order by started_at desc limit 1) as {metric} on true"
)
_INCIDENTS: Final = """
select opened.incident, opened.at, opened.data->>'number' as number, opened.data->>'organisation' as organisation,
       opened.data->>'service' as service, opened.data->>'category' as category,
       opened.data->>'criticality' as criticality, told.*, {shown}
  from incident_fact as opened
 cross join lateral (
   select array_agg(kind order by version) as kinds, array_agg(at order by version) as instants,
          array_agg(coalesce(data->>'priority', data->>'reason', data->>'assignee') order by version) as details
     from incident_fact where incident = opened.incident offset 0) as told
 {standing}
 where opened.version = 1
   and ($1::text[] is null or opened.data->>'organisation' = any($1))
   and ($2::timestamptz is null or opened.at >= $2) and ($3::timestamptz is null or opened.at < $3)
   and ($4::text is null or opened.data->>'organisation' = $4)
   and ($5::text is null or opened.data->>'service' = $5)
   and ($6::integer is null or $6 = (
     select (data->>'priority')::integer from incident_fact where incident = opened.incident
        and kind in ('Opened', 'Prioritised') order by version desc limit 1))
   and ((not $8::boolean and ($9::text is null or opened.data->>'organisation' = $9)
                         and ($10::text is null or opened.data->>'service' = $10))
        or exists (select from clock where incident = opened.incident and agreement = $7::text offset 0))
   and ($11::timestamptz is null or (opened.at, opened.incident) <= ($11, $12::text))
 order by opened.at desc, opened.incident desc limit $13
"""


def _incidents(metrics: Sequence[Metric]) -> str:
    shown = (f"{metric}.{name} as {metric}_{name}" for metric in metrics for name in (*_CLOCK, "memory"))
    standing = " ".join(_STANDING.format(metric=metric) for metric in metrics)
    return _INCIDENTS.format(shown=", ".join(shown), standing=standing)


_PRESENT: Final = """
select agreement.id, a.definition::text as definition, c.definition::text as calendar
  from agreement join agreement_revision a on a.agreement = agreement.id and a.revision = agreement.revision
  join calendar on calendar.id = a.definition->>'calendar'
  join calendar_revision c on c.calendar = calendar.id and c.revision = calendar.revision
"""


class Coverage:
    """Which incidents the draft would be the agreement of, and which agreement they have at present."""

    def __init__(self, present: Sequence[Mapping[str, Any]], wanted: Wanted) -> None:
        candidates = [Candidate(row["id"], parse_agreement(row["definition"])) for row in present]
        self._promises = {
            candidate.id: promise(candidate.agreement, parse_calendar(row["calendar"]))
            for candidate, row in zip(candidates, present, strict=True)
        }
        self._present = ranked(candidates)
        # Without an id yet, it comes after those that state the same, as the ids of later agreements mostly do.
        self._draft = Candidate(wanted.agreement or "~", wanted.draft)
        self._after = ranked([*(one for one in candidates if one.id != wanted.agreement), self._draft])
        self._known: dict[Situation, bool] = {}
        self.by_priority = any(one.agreement.priorities for one in (*self._present, *self._after))

    def has_draft(self, situation: Situation) -> bool:
        """Whether the draft is the most specific agreement."""
        if situation not in self._known:  # many incidents are in few
            self._known[situation] = choose(self._after, situation) is self._draft
        return self._known[situation]

    def present(self, situation: Situation) -> Promise | None:
        """What is promised at present."""
        found = choose(self._present, situation)
        return None if found is None else self._promises[found.id]


async def run(connection: Any, wanted: Wanted, place: Place | None = None) -> Found:
    """In a transaction of the caller's: everything, or from `place` on one page of changes and no counts.

    A page has one change too many where there is a next one.
    """
    coverage = Coverage(await connection.fetch(_PRESENT), wanted)
    definitions = Definitions(connection)
    measured = {measure.metric for measure in await definitions.measures() if measure.kind == "sla"}
    metrics = [metric for metric in METRICS if metric in measured or metric in wanted.promised.targets]
    work = _Work(wanted, coverage, metrics, place)
    cursor = await connection.cursor(_incidents(metrics), *_parameters(wanted, place))
    rows = await cursor.fetch(_AT_ONCE)
    while rows and not work.full:
        for row in rows:
            for metric in metrics:
                await work.learn(definitions, row, metric)
        judging = asyncio.ensure_future(asyncio.to_thread(work.through, rows))
        try:
            rows = await cursor.fetch(_AT_ONCE)
        finally:
            await judging
    return work.found


def _parameters(wanted: Wanted, place: Place | None) -> tuple[Any, ...]:
    seen = 0 if place is None else place.seen
    return (
        wanted.organisations,
        wanted.begins,
        wanted.ends,
        wanted.organisation,
        wanted.service,
        wanted.priority,
        wanted.agreement,
        wanted.judged,
        wanted.draft.organisation,
        wanted.draft.service,
        None if place is None else place.at,
        None if place is None else place.incident,
        wanted.most - seen + 1,
    )


class _Work:
    """One run: what is known of definitions, and what was found so far."""

    def __init__(self, wanted: Wanted, coverage: Coverage, metrics: Sequence[Metric], place: Place | None) -> None:
        self.found = Found()
        self._wanted = wanted
        self._coverage = coverage
        self._metrics = metrics
        self._place = place
        self._promises: dict[tuple[Any, ...], Promise] = {}
        self._seen = 0 if place is None else place.seen

    @property
    def full(self) -> bool:
        """Whether nothing more is asked for: counts want every incident, a later page only its changes."""
        return self._place is not None and len(self.found.changes) > self._wanted.limit

    async def learn(self, definitions: Definitions, row: Any, metric: Metric) -> None:
        """Read what a clock names, once."""
        key = _terms_of(row, metric)
        if key[0] is not None and key not in self._promises:
            agreement, calendar = await definitions.agreement(*key[:2]), await definitions.calendar(*key[2:])
            self._promises[key] = promise(agreement, calendar)

    def through(self, rows: Sequence[Any]) -> None:
        """Judge the clocks of a batch."""
        for row in rows:
            if self._seen == self._wanted.most:
                self.found.truncated = True
                return
            if self.full:
                return
            self._judge(row)
            self._seen += 1

    def _judge(self, row: Any) -> None:
        situation = _situation(row)
        told = [
            happening(n, *one) for n, one in enumerate(zip(row["kinds"], row["instants"], row["details"], strict=True))
        ]
        situations = dict.fromkeys(self._metrics, situation)
        if self._coverage.by_priority:
            for metric in self._metrics:
                counts = last_priority(Measure("sla", metric), told)
                situations[metric] = replace(situation, priority=counts)
        own = self._wanted.agreement
        known = [metric for metric in self._metrics if self._coverage.has_draft(situations[metric])]
        if not known and (own is None or all(row[f"{metric}_agreement"] != own for metric in self._metrics)):
            return
        self.found.incidents += 1
        priority = situation.priority
        label = _label(row["at"].astimezone(self._wanted.zone), self._wanted.period)
        for metric in self._metrics:
            at = METRICS.index(metric)
            covered = metric in known
            if not covered and row[f"{metric}_agreement"] != own:
                continue
            place = Place(row["at"], row["incident"], at, self._seen)
            if self._place is not None and row["incident"] == self._place.incident and at < self._place.metric:
                continue
            before = self._before(row, metric)
            after = outcome(told, metric, self._wanted.promised, self._wanted.now) if covered else NO_CLOCK
            changed = before.outcome.verdict != after.verdict
            if self._place is None:
                count = self.found.counts.setdefault((label, priority, metric), Count())
                count.before[before.outcome.verdict] += 1
                count.after[after.verdict] += 1
                count.changed += changed
            if changed and len(self.found.changes) <= self._wanted.limit:
                was = self._promises.get(_terms_of(row, metric))
                if was is None:
                    was = self._coverage.present(situations[metric])
                verdict, draft = before.outcome.verdict, self._wanted.promised if covered else None
                reason = why(told, metric, verdict, was, draft, self._wanted.now)
                about = (row["number"], row["organisation"], row["service"], priority, metric)
                self.found.changes.append(Change(place, *about, before, after, covered, reason))

    def _before(self, row: Any, metric: Metric) -> Judged:
        state = row[f"{metric}_state"]
        if state is None:
            return Judged()
        if state == "cancelled":
            found = NO_CLOCK
        elif state == "stopped":
            found = Outcome(
                "met" if row[f"{metric}_met"] else "breached",
                row[f"{metric}_target_seconds"],
                timedelta(seconds=row[f"{metric}_elapsed_seconds"]),
                row[f"{metric}_due_at"],
            )
        else:
            memory = MEMORY.validate_json(row[f"{metric}_memory"])
            terms = memory.terms(self._promises[_terms_of(row, metric)].terms.calendar)
            reading = judge(memory.facts, terms, max(self._wanted.now, memory.latest))
            found = NO_CLOCK if reading is None else outcome_of(reading)
        return Judged(found, row[f"{metric}_agreement"], row[f"{metric}_agreement_revision"])


def _terms_of(row: Any, metric: Metric) -> tuple[Any, ...]:
    return tuple(row[f"{metric}_{name}"] for name in _CLOCK[1:5])


def _situation(row: Any) -> Situation:
    """The incident by the last priority that is known."""
    told = zip(reversed(row["kinds"]), reversed(row["details"]), strict=True)
    priority = next(int(detail) for kind, detail in told if kind in ("Opened", "Prioritised"))
    return Situation("sla", row["organisation"], row["service"], row["category"], row["criticality"], priority)


_DETAILS: Final = {"Opened": "priority", "Prioritised": "priority", "Held": "reason", "Assigned": "assignee"}


def happening(number: int, kind: str, at: datetime, detail: Any) -> IncidentFact:
    """An event of an incident as it stands in `incident_fact`, with the one detail that counts."""
    if kind not in _DETAILS:
        return IncidentFact(number, at, "", kind)
    name = _DETAILS[kind]
    return IncidentFact(number, at, "", kind, {name: int(detail) if name == "priority" else detail})


def _label(local: datetime, period: Period) -> str:
    if period == "week":
        year, week, _ = local.isocalendar()
        return f"{year}-W{week:02d}"
    return f"{local:%Y-%m}" if period == "month" else f"{local:%Y-%m-%d}"
