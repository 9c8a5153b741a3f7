"""What is measured of an incident: which of its events begin a clock, end it, hold it. Pure.

An agreement with a customer (`sla`) measures the incident as a whole, those with own teams and vendors (`ola`, `uc`)
each stay of the incident with a team: from when the team gets it until it leaves, or is resolved, or closed.

- `response`: until work starts. `ownership`: until a person has it, or work starts. `contact`: from the first dispatch
  until the requester is spoken or written to (R2). `workaround`: until there is one.
- `update`: until the requester hears of it again; each time a new clock begins, and one with each reopening.
- `resolution`: until it is resolved, whatever comes first ends the others as well. A reopening continues it or begins a
  second clock, as the agreement says.
- A clock that begins while the incident waits begins with that wait. A team that gets an incident together with the
  person who has it owns it at once, and one that gets it after work has started has nothing to respond to: there is no
  clock of `ownership`, or of `response`, then.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from opsledger_events.contexts.sla import AgreementKind, Metric, ReopenPolicy
from sla.domain.clock import Fact, FactKind
from sla.domain.targets import Target


@dataclass(frozen=True, slots=True)
class IncidentFact:
    """One event of an incident; `kind` is the event's name without `Incident`, for example `Held`."""

    version: int
    at: datetime
    event: str
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


class Measure(NamedTuple):
    """A metric of a kind of agreement."""

    kind: AgreementKind
    metric: Metric


class Beginning(NamedTuple):
    """What begins a clock; `party`: the team that has the incident from then on, where teams are measured."""

    fact: IncidentFact
    party: str | None = None


OF_CUSTOMERS: Final = tuple(
    Measure("sla", metric) for metric in ("response", "contact", "ownership", "update", "workaround", "resolution")
)
OF_TEAMS: Final = tuple(
    Measure(kind, metric) for kind in ("ola", "uc") for metric in ("response", "ownership", "resolution")
)
MEASURES: Final = (*OF_CUSTOMERS, *OF_TEAMS)

_ALL: Final[dict[str, FactKind]] = {
    "Held": "held",
    "Resumed": "resumed",
    "Resolved": "stopped",
    "Closed": "stopped",
    "Prioritised": "targeted",
    "Cancelled": "cancelled",
}
_HEARD: Final[dict[str, FactKind]] = {"RequesterContacted": "stopped", "Noted": "stopped"}
_TOLD: Final[dict[Metric, dict[str, FactKind]]] = {
    "response": {**_ALL, "Started": "stopped"},
    "contact": {**_ALL, **_HEARD},
    "ownership": {**_ALL, "Started": "stopped"},
    "update": {**_ALL, **_HEARD},
    "workaround": {**_ALL, "WorkaroundProvided": "stopped"},
    "resolution": {**_ALL, "Reopened": "continued"},
}


def meaning(measure: Measure, party: str | None, fact: IncidentFact) -> FactKind | None:
    """What an event means to a clock that it finds running; None: nothing."""
    if fact.kind == "Assigned":
        leaves = measure.kind != "sla" and fact.data.get("team") != party
        taken = measure.metric == "ownership" and fact.data.get("assignee") is not None
        return "stopped" if leaves or taken else None
    return _TOLD[measure.metric].get(fact.kind)


def concerns(measure: Measure, fact: IncidentFact) -> bool:
    """Whether an event can mean anything to a clock of this measure, or begin one, whatever happened before it."""
    if fact.kind == "Opened":
        return measure.kind == "sla" and measure.metric != "contact"
    if fact.kind == "Assigned":
        return measure.kind != "sla" or measure.metric == "contact" or meaning(measure, None, fact) is not None
    again = fact.kind == "Reopened" and measure.metric == "update"
    return again or fact.kind in _TOLD[measure.metric]


def beginnings(measure: Measure, facts: Iterable[IncidentFact]) -> list[Beginning]:
    """Every event that may begin a clock, in order. `facts` are all of the incident's, in order."""
    found: list[Beginning] = []
    team: str | None = None
    ended = started = False
    for fact in facts:
        started = started or fact.kind == "Started"
        if fact.kind == "Assigned":
            passed_on, team = fact.data.get("team") != team, fact.data.get("team")
            owned = measure.metric == "ownership" and fact.data.get("assignee") is not None
            responded = measure.metric == "response" and started
            if measure.kind != "sla" and passed_on and not (ended or owned or responded):
                found.append(Beginning(fact, team))
            elif measure.metric == "contact" and not found:
                found.append(Beginning(fact))
        elif fact.kind == "Opened":
            if measure.kind == "sla" and measure.metric != "contact":
                found.append(Beginning(fact))
        elif fact.kind in _HEARD:
            if measure.metric == "update" and found and not ended:
                found.append(Beginning(fact))
        elif fact.kind == "Reopened":
            ended = False
            if found and measure.metric in ("resolution", "update"):
                found.append(Beginning(fact, team if measure.kind != "sla" else None))
        elif fact.kind in ("Resolved", "Closed", "Cancelled"):
            ended = True
    return found


def concerned(begun: Sequence[Beginning], told: Sequence[IncidentFact]) -> Sequence[Beginning]:
    """Those whose clocks may hear of what was told last: from the one before it on, or all of a cancelled incident."""
    if any(fact.kind == "Cancelled" for fact in told):
        return begun
    first = min(told, key=lambda fact: (fact.at, fact.version), default=None)
    for n in range(len(begun) - 1, 0, -1):
        if first is not None and before(begun[n].fact, first) and begun[n].fact.kind != "Reopened":
            return begun[n:]
    return begun


def before(fact: IncidentFact, other: IncidentFact) -> bool:
    """Whether `fact` comes before `other`: by when it happened, then by its number."""
    return (fact.at, fact.version) < (other.at, other.version)


def earlier_facts(
    measure: Measure, beginning: Beginning, facts: Sequence[IncidentFact], reopen: ReopenPolicy
) -> tuple[Fact, ...]:
    """What a clock that begins there has to be told of the time since: all but its targets."""
    found = list(_waiting(beginning, facts))
    for told in _span(measure, beginning, facts, reopen):
        kind = meaning(measure, beginning.party, told)
        if kind is not None and kind not in ("targeted", "cancelled"):
            found.append(Fact(kind, told.at, told.event, len(found), told.data.get("reason")))
    return tuple(found)


def clock_facts(
    measure: Measure,
    beginning: Beginning,
    facts: Sequence[IncidentFact],
    target: Callable[[int], Target | None],
    reopen: ReopenPolicy,
) -> list[Fact]:
    """Everything that the clock is told by an agreement, `target` being what it promises for a priority.

    Empty where it never starts: nothing is promised, or it was done when nothing was. A clock that lost its target
    starts anew with another.
    """
    story = _Story(beginning.fact, target)
    for fact in facts:
        if fact.kind in ("Opened", "Prioritised") and not before(beginning.fact, fact):
            story.priority = fact.data.get("priority", story.priority)
    story.earlier = list(_waiting(beginning, facts))
    story.start(beginning.fact)
    for fact in _span(measure, beginning, facts, reopen):
        story.tell(fact, meaning(measure, beginning.party, fact))
    return story.facts


def last_priority(measure: Measure, facts: Iterable[IncidentFact]) -> int:
    """The priority that counts for the clock of a customer: the present one, or that of when it was done."""
    priority = present = 0
    done = False
    for fact in facts:
        present = fact.data.get("priority", present)
        kind = meaning(measure, None, fact)
        done = done and kind != "continued"
        priority = priority if done else present
        done = done or kind == "stopped"
    return priority


@dataclass(slots=True)
class _Story:
    """`lost`: of its last target; `over`: the incident was cancelled; `done`: stopped."""

    began: IncidentFact
    target: Callable[[int], Target | None]
    priority: int = 0
    agreed: Target | None = None
    facts: list[Fact] = field(default_factory=list)
    earlier: list[Fact] = field(default_factory=list)
    lost: bool = False
    over: bool = False
    done: bool = False

    def tell(self, fact: IncidentFact, kind: FactKind | None) -> None:
        if kind == "targeted":
            self.priority = fact.data.get("priority", self.priority)
        if kind is None or self.over:
            return
        told = Fact(kind, fact.at, fact.event, fact.version, fact.data.get("reason"))
        if kind not in ("targeted", "cancelled"):
            self.earlier.append(told)
        if not self.facts or self.lost:
            if kind in ("targeted", "continued"):
                self.start(fact)
        elif kind == "cancelled":
            self.over = True
            self.facts.append(told)
        elif kind == "targeted" or (self.done and kind == "continued"):
            if kind == "continued":
                self.done = False
                self.facts.append(told)
            self._retarget(fact)
        else:
            self.done = self.done or kind == "stopped"
            self.facts.append(told)

    def start(self, fact: IncidentFact) -> None:
        wanted = self.target(self.priority)
        if wanted is None or is_done(self.earlier):
            return
        self.agreed, self.lost, self.done = wanted, False, False
        began = self.began
        if fact is began and not self.earlier:
            self.facts = [Fact("opened", began.at, began.event, began.version, None, wanted)]
        else:
            opened = Fact("opened", began.at, began.event, began.version)
            targeted = Fact("targeted", fact.at, fact.event, fact.version, None, wanted)
            self.facts = [opened, *self.earlier, targeted]

    def _retarget(self, fact: IncidentFact) -> None:
        wanted = self.target(self.priority)
        if not self.done and wanted != self.agreed:  # a verdict stands
            self.lost, self.agreed = wanted is None, wanted
            kind: FactKind = "cancelled" if self.lost else "targeted"
            self.facts.append(Fact(kind, fact.at, fact.event, fact.version, None, wanted))


def _span(
    measure: Measure, beginning: Beginning, facts: Sequence[IncidentFact], reopen: ReopenPolicy
) -> Iterable[IncidentFact]:
    """What happened after the beginning, up to what ends the stretch for good: the next update, another team, a second
    clock. A cancelled incident's clocks count nowhere, so that is told whenever it is.
    """
    again = measure.metric == "update" or (measure.metric == "resolution" and reopen == "new_clock")
    ended = False
    for fact in facts:
        if not before(beginning.fact, fact):
            continue
        ended = ended or (again and fact.kind == "Reopened")
        if not ended or fact.kind == "Cancelled":
            yield fact
        heard = measure.metric == "update" and fact.kind in _HEARD
        left = measure.kind != "sla" and fact.kind == "Assigned" and fact.data.get("team") != beginning.party
        ended = ended or heard or left


def _waiting(beginning: Beginning, facts: Sequence[IncidentFact]) -> Iterable[Fact]:
    """The wait that the clock begins with, if it does."""
    held: IncidentFact | None = None
    for fact in facts:
        if not before(fact, beginning.fact):
            break
        if fact.kind == "Held":
            held = fact
        elif fact.kind in ("Resumed", "Resolved", "Closed", "Cancelled"):
            held = None
    if held is not None:
        yield Fact("held", beginning.fact.at, held.event, beginning.fact.version, held.data.get("reason"))


def is_done(earlier: Sequence[Fact]) -> bool:
    """Whether it was done when nothing was promised."""
    return next((one.kind == "stopped" for one in reversed(earlier) if one.kind in ("stopped", "continued")), False)
