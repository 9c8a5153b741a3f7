"""Indicators computed anew from the events themselves, the naive way: what the mart's figures are compared with."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from opsledger_events import Envelope

Pick = Callable[[dict[str, Any]], bool]


@dataclass
class Told:
    """Everything that was announced of one aggregate, in order."""

    events: list[Envelope]

    def last(self, *names: str) -> Envelope | None:
        return next((event for event in reversed(self.events) if event.name in names), None)

    def first(self, *names: str) -> Envelope | None:
        return next((event for event in self.events if event.name in names), None)

    def has(self, name: str) -> bool:
        return self.first(name) is not None


def aggregates(envelopes: Sequence[Envelope], context: str) -> list[Told]:
    """The aggregates of a context."""
    found: dict[str, list[Envelope]] = defaultdict(list)
    for envelope in envelopes:
        if envelope.context == context:
            found[envelope.subject].append(envelope)
    return [Told(events) for events in found.values() if any(e.name.endswith(("Opened", "Started")) for e in events)]


def facts(incident: Told) -> dict[str, Any]:
    """What filters and groups look at."""
    opened = incident.events[0]
    judged = incident.last("IncidentOpened", "IncidentPrioritised")
    assigned = incident.last("IncidentAssigned")
    assert judged is not None
    team = assigned.data["team"] if assigned else None
    return {
        "organisation": opened.data["organisation"],
        "priority": judged.data["priority"],
        "team": team,
        "service": opened.data.get("service"),
        "category": opened.data.get("category"),
    }


def resolved_at(incident: Told) -> datetime | None:
    """The latest resolution, unless reopened since."""
    last = incident.last("IncidentResolved", "IncidentReopened")
    return last.time if last is not None and last.name == "IncidentResolved" else None


def durations(
    envelopes: Sequence[Envelope], begins: datetime, ends: datetime, what: str, pick: Pick
) -> list[int | None]:
    """Seconds to acknowledge or resolve of every incident resolved in the period; None: never acknowledged."""
    found: list[int | None] = []
    for incident in aggregates(envelopes, "incident"):
        resolved = resolved_at(incident)
        if resolved is None or not begins <= resolved < ends or incident.has("IncidentCancelled"):
            continue
        if not pick(facts(incident)):
            continue
        end: datetime | None = resolved
        if what == "acknowledge":
            answers = [e for e in incident.events if e.name == "IncidentStarted" or e.data.get("assignee")]
            end = answers[0].time if answers else None
        found.append(None if end is None else int((end - incident.events[0].time).total_seconds()))
    return found


def clocks(envelopes: Sequence[Envelope], kind: str, metric: str | None) -> list[Told]:
    """The clocks of a kind of agreement, of one metric or of all, that were not cancelled."""
    return [
        clock
        for clock in aggregates(envelopes, "sla")
        if clock.events[0].data.get("kind", "sla") == kind
        and metric in (None, clock.events[0].data["metric"])
        and not clock.has("SLAClockCancelled")
    ]


def attainment(
    envelopes: Sequence[Envelope],
    begins: datetime,
    ends: datetime,
    pick: Pick,
    kind: str = "sla",
    metric: str | None = None,
) -> tuple[int, int]:
    """Met, and all that count, in the period. The team of a clock that measures one is that one."""
    met = counted = 0
    for clock in clocks(envelopes, kind, metric):
        end = clock.last("SLAMet", "SLAMissed", "SLAClockContinued")
        breach = clock.last("SLABreached")
        kept = end is not None and end.name == "SLAMet"
        if not kept and breach is None:
            continue
        decided = end.time if kept and end else datetime.fromisoformat(breach.data["due_at"]) if breach else None
        assert decided is not None
        last = clock.events[-1].data
        team = last.get("team") if kind == "sla" else last["party"]
        given = {"organisation": last["organisation"], "priority": last["priority"], "team": team}
        if begins <= decided < ends and pick(given):
            counted += 1
            met += kept
    return met, counted


def open_at(envelopes: Sequence[Envelope], at: datetime) -> list[dict[str, Any]]:
    """The incidents open at an instant, with what filters and groups look at as it was then."""
    found = []
    for incident in aggregates(envelopes, "incident"):
        so_far = Told([event for event in incident.events if event.time <= at])
        if not so_far.events:
            continue
        last = so_far.last(
            "IncidentOpened", "IncidentReopened", "IncidentResolved", "IncidentClosed", "IncidentCancelled"
        )
        if last is not None and last.name in ("IncidentOpened", "IncidentReopened"):
            found.append({**facts(so_far), "opened_at": incident.events[0].time})
    return found


def open_ages(envelopes: Sequence[Envelope], at: datetime, pick: Pick) -> list[timedelta]:
    """Ages of the incidents open at an instant."""
    return [at - one["opened_at"] for one in open_at(envelopes, at) if pick(one)]
