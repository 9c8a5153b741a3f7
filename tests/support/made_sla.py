"""What a log of ServiceNow incidents says of its own agreement, and the simple agreement that comes closest to it.

The log names neither targets nor hours: it says for each incident whether the agreement was kept (`made_sla`).
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from io import StringIO

from tests.support.histories import rows_of, stories
from tests.support.previews import agreement, envelopes, lived

from opsledger_events import Envelope
from opsledger_events.contexts.incident import IncidentOpened
from opsledger_events.contexts.sla import AgreementDefined
from sla.domain.calendar import Calendar, Hours, always_open, weekly_hours
from sla.domain.measures import IncidentFact
from sla.domain.preview import outcome, promise
from sla.projections.incident_facts import READS

ZONE = "Europe/Lisbon"
QUANTILES = 40
LONGEST = 10 * 366 * 86400
_SECOND = timedelta(seconds=1)

OFFICE_HOURS = {
    "name": "Mon–Fri 9–18",
    "time_zone": ZONE,
    "weekly": [{"day": day, "opens": "09:00", "closes": "18:00"} for day in range(5)],
}
CALENDARS: dict[str, Calendar] = {
    "24×7": always_open(ZONE),
    "Mon–Fri 8–20": weekly_hours(ZONE, [Hours(day, 480, 1200) for day in range(5)]),
    "Mon–Fri 9–18": weekly_hours(ZONE, [Hours(day, 540, 1080) for day in range(5)]),
}
PAUSES: dict[str, tuple[str, ...]] = {
    "none": (),
    "requester": ("awaiting_requester",),
    "every wait": ("awaiting_requester", "awaiting_vendor", "awaiting_problem", "awaiting_evidence"),
}


def made_sla(log: bytes) -> dict[str, bool]:
    """By incident, as its last row says."""
    return {row["number"]: row["made_sla"] == "TRUE" for row in csv.DictReader(StringIO(log.decode()))}


def told(log: bytes) -> dict[str, list[Envelope]]:
    """The events of each incident that the importer makes of the log, as far as clocks need them; by its number."""
    found = {}
    for story in stories(rows_of(log)[0]):
        steps = [(event, step.at) for step in story.steps for event in step.events]
        (opening, opened), rest = steps[0], steps[1:]
        assert isinstance(opening, IncidentOpened)
        steps = [(opening.model_copy(update={"number": story.number}), opened), *rest]
        found[story.number] = [
            replace(one, importid="import-1") for one in envelopes(steps, story.incident) if one.type_name in READS
        ]
    return found


@dataclass(frozen=True)
class Life:
    """An incident of the log: what happened, its last priority, and whether its agreement was kept."""

    happened: Sequence[IncidentFact]
    priority: int
    made: bool


def lives(log: bytes) -> dict[str, Life]:
    """By number."""
    made, found = made_sla(log), {}
    for number, events in told(log).items():
        happened = lived(events)
        priority = next(one.data["priority"] for one in reversed(happened) if "priority" in one.data)
        found[number] = Life(happened, priority, made[number])
    return found


def closest(known: Iterable[Life], calendar: Calendar, pausing: Sequence[str], now: datetime) -> AgreementDefined:
    """The resolution target of each priority, out of quantiles of how long it took, that agrees most often.

    Of several that do, the shortest; a priority that is not known has the longest target there is.
    """
    counted = _counted(known, calendar, pausing, now)
    targets: dict[int, tuple[int | None, int | None]] = dict.fromkeys(range(1, 6), (None, LONGEST))
    for priority, clocks in counted.items():
        lengths = sorted(seconds for seconds, _ in clocks)
        last = len(lengths) - 1
        tried = {lengths[round(last * n / QUANTILES)] for n in range(QUANTILES + 1)}
        best = min(tried, key=lambda seconds: (-_agreeing(clocks, seconds), seconds))
        targets[priority] = (None, max(best, 1))
    return agreement(targets, pausing)


def _agreeing(clocks: Sequence[tuple[int, bool]], target: int) -> int:
    return sum((seconds <= target) == made for seconds, made in clocks)


def _counted(
    known: Iterable[Life], calendar: Calendar, pausing: Sequence[str], now: datetime
) -> Mapping[int, list[tuple[int, bool]]]:
    """Whole seconds of working time to the resolution, rounded up, by priority."""
    endless = promise(agreement(dict.fromkeys(range(1, 6), (None, LONGEST)), pausing), calendar)
    found: dict[int, list[tuple[int, bool]]] = {}
    for life in known:
        clock = outcome(life.happened, "resolution", endless, now)
        if clock.elapsed is not None:
            seconds = -(-clock.elapsed // _SECOND)
            found.setdefault(life.priority, []).append((seconds, life.made))
    return found


def agreeing(known: Iterable[Life], found: AgreementDefined, calendar: Calendar, now: datetime) -> int:
    """Incidents whose resolution is met exactly where the log says that its agreement was kept."""
    promised = promise(found, calendar)
    return sum((outcome(life.happened, "resolution", promised, now).verdict == "met") == life.made for life in known)


def apart(known: Mapping[str, Life], calendar: Calendar, pausing: Sequence[str], now: datetime) -> int:
    """Incidents that agree where each half of them is judged by targets found in the other half alone."""
    halves = [[known[number] for number in sorted(known)[first::2]] for first in (0, 1)]
    return sum(
        agreeing(judged, closest(learnt, calendar, pausing, now), calendar, now)
        for judged, learnt in (halves, halves[::-1])
    )
