"""Service levels checked from the incidents' own events: the pure clock says what had to be announced, and when.

Believes neither the clocks' events nor their table: facts come from the incident store, terms from the agreements.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from opsledger_events import Envelope, decode
from opsledger_events.contexts.incident import IncidentHeld, IncidentOpened, IncidentPrioritised
from opsledger_events.contexts.sla import AgreementDefined, CalendarDefined, Metric
from sla.casebook import clock_id
from sla.domain.calendar import Calendar, calendar_from
from sla.domain.clock import Fact, FactKind, Mark, Terms, marks, read
from sla.domain.targets import target_of

METRICS: tuple[Metric, ...] = ("response", "resolution")
"""What the agreements of the scene promise."""

_KINDS: Mapping[str, Mapping[str, FactKind]] = {
    "response": {"IncidentStarted": "stopped", "IncidentResolved": "stopped", "IncidentClosed": "stopped"},
    "resolution": {"IncidentResolved": "stopped", "IncidentClosed": "stopped", "IncidentReopened": "continued"},
}
_BOTH: Mapping[str, FactKind] = {
    "IncidentHeld": "held",
    "IncidentResumed": "resumed",
    "IncidentPrioritised": "targeted",
    "IncidentCancelled": "cancelled",
}


@dataclass(frozen=True)
class Expected:
    """One clock as it must be: its facts and terms, and every mark that is or will be due."""

    facts: tuple[Fact, ...]
    terms: Terms
    marks: tuple[Mark, ...]


def agreements(sla: Sequence[Envelope]) -> dict[str | None, tuple[AgreementDefined, Calendar]]:
    """The agreement and calendar of each service, None for everybody else's; the chaos scene replaces none of them."""
    calendars: dict[str, Calendar] = {}
    found: dict[str | None, tuple[AgreementDefined, Calendar]] = {}
    for envelope in sla:
        match decode(envelope):
            case CalendarDefined() as calendar:
                calendars[envelope.subject] = calendar_from(calendar.model_dump())
            case AgreementDefined() as agreement:
                found[agreement.service] = (agreement, calendars[agreement.calendar])
    return found


def expected(
    incidents: Sequence[Envelope], agreed: Mapping[str | None, tuple[AgreementDefined, Calendar]]
) -> dict[str, Expected]:
    """Every clock that the incidents call for, by id."""
    stories: dict[str, list[Envelope]] = defaultdict(list)
    for envelope in incidents:
        stories[envelope.subject].append(envelope)
    found: dict[str, Expected] = {}
    for incident, story in stories.items():
        story.sort(key=lambda envelope: envelope.aggregateversion)
        opened = decode(story[0])
        if not isinstance(opened, IncidentOpened):
            raise AssertionError(f"incident {incident} begins with {story[0].type_name}")
        agreement, calendar = agreed.get(opened.service) or agreed[None]
        for metric in METRICS:
            facts = tuple(_facts(story, metric, agreement))
            terms = Terms(calendar, frozenset(agreement.pausing_reasons), tuple(agreement.warning_percent))
            found[clock_id(incident, metric)] = Expected(facts, terms, _marks(facts, terms))
    return found


def _facts(story: Sequence[Envelope], metric: Any, agreement: AgreementDefined) -> Sequence[Fact]:
    kinds = {**_BOTH, **_KINDS[metric]}
    found: list[Fact] = []
    for envelope in story:
        event = decode(envelope)
        about = (envelope.time, str(envelope.id), envelope.aggregateversion)
        if isinstance(event, IncidentOpened):
            found.append(Fact("opened", *about, None, target_of(agreement, event.priority, metric)))
        elif isinstance(event, IncidentPrioritised):
            found.append(Fact("targeted", *about, None, target_of(agreement, event.priority, metric)))
        elif envelope.name in kinds:
            reason = event.reason if isinstance(event, IncidentHeld) else None
            found.append(Fact(kinds[envelope.name], *about, reason))
    return found


def _marks(facts: Sequence[Fact], terms: Terms) -> tuple[Mark, ...]:
    """As `marks`, with what was announced before a cancellation, which ends the clock and takes nothing back."""
    cancelled = next((n for n, fact in enumerate(facts) if fact.kind == "cancelled"), None)
    if cancelled is None:
        return marks(facts, terms)
    return tuple(mark for mark in marks(facts[:cancelled], terms) if mark.at < facts[cancelled].at)


def announcements(
    wanted: Mapping[str, Expected], sla: Sequence[Envelope], since: datetime, until: datetime
) -> list[str]:
    """Announced and not withdrawn = due, each once.

    What is due after `since`, when all was at rest, may still be waiting; what is due after `until` must be.
    """
    told: Counter[tuple[str, int | None, int, datetime]] = Counter()
    found: list[str] = []
    for envelope in sla:
        data = envelope.data
        if envelope.name not in ("SLABreached", "SLAWarningReached", "SLABreachWithdrawn"):
            continue
        at = datetime.fromisoformat(data["due_at"] if envelope.name == "SLABreachWithdrawn" else data["at"])
        key = (envelope.subject, data.get("percent"), data["target_seconds"], at)
        told[key] += -1 if envelope.name == "SLABreachWithdrawn" else 1
        if data.get("provisional") or envelope.name == "SLABreachWithdrawn":
            found.append(f"clock {envelope.subject}: {envelope.name} was not sure, though no relay was silent long")
    due = {(clock, m.percent, m.target, m.at): m for clock, one in wanted.items() for m in one.marks}
    for key, times in told.items():
        what = f"clock {key[0]}: {_named(key[1])} of {key[2]} s at {key[3].isoformat()}"
        if times > 1:
            found.append(f"{what} announced {times} times")
        if times > 0 and key not in due:
            found.append(f"{what} announced, and false")
        if times > 0 and key[3] > until:
            found.append(f"{what} announced before its time")
    missing = [key for key in due if key[3] <= since and told[key] < 1]
    return found + [f"clock {k[0]}: {_named(k[1])} of {k[2]} s at {k[3].isoformat()} never announced" for k in missing]


def _named(percent: int | None) -> str:
    return "breach" if percent is None else f"warning at {percent} %"


async def standing(
    wanted: Mapping[str, Expected], sla: "asyncpg.Connection[asyncpg.Record]", rested: datetime
) -> list[str]:
    """Each clock's row, and the timers it waits for, are what the pure function says."""
    rows = {row["id"]: row for row in await sla.fetch("select * from sla.clock")}
    timers = {row["key"]: row["due"] for row in await sla.fetch("select key, due from es.timer")}
    found = [f"clock {clock}: there is none" for clock in wanted.keys() - rows.keys()]
    found += [f"clock {clock}: of no incident" for clock in rows.keys() - wanted.keys()]
    due: dict[str, datetime] = {}
    for clock in wanted.keys() & rows.keys():
        row, one = rows[clock], wanted[clock]
        found += [f"clock {clock}: {complaint}" for complaint in _row(row, one)]
        said = {(item["percent"], item["target"]) for item in json.loads(row["memory"])["announced"]}
        silenced = {target for percent, target in said if percent is None}
        cancelled = row["state"] == "cancelled"
        for mark in () if cancelled else one.marks:
            if mark.key not in said and mark.target not in silenced:
                key = f"{clock}/" + ("breach" if mark.percent is None else f"warning/{mark.percent}")
                due.setdefault(key, mark.at)
    found += [
        f"timer {key}: is {timers.get(key)}, must be {due.get(key)}"
        for key in due.keys() | timers.keys()
        if timers.get(key) != due.get(key)
    ]
    found += [f"timer {key}: due {at} and not fired" for key, at in timers.items() if at <= rested]
    return found


def _row(row: Any, one: Expected) -> list[str]:
    there = read(one.facts, one.terms, row["changed_at"])
    if there is None:
        return [f"its row is of {row['changed_at']}, before it was opened"]
    said = {
        "state": row["state"],
        "target": row["target_seconds"],
        "elapsed": row["elapsed_seconds"],
        "due": row["due_at"],
        "breached": row["breached_at"],
        "met": row["met"],
        "warned": sorted(row["warned"]),
    }
    warned = sorted(mark.percent for mark in there.warnings if mark.percent is not None and mark.target == there.target)
    true = {
        "state": there.state,
        "target": there.target,
        "elapsed": int(there.elapsed.total_seconds()),
        "due": there.due,
        "breached": there.breached_at,
        "met": there.met,
        "warned": warned,
    }
    return [f"{name} is {said[name]}, must be {true[name]}" for name in said if said[name] != true[name]]
