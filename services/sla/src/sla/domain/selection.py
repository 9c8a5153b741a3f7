"""Which agreement is for an incident: the most specific of those that are for it. Pure.

An agreement is for an incident where each selector that it states names what the incident is. Of two such agreements
the one that states the more telling selector wins: the order is organisation, service, category, criticality,
priorities, before which the agreement of a team or a vendor (`ola`, `uc`) has its team. Of two that state the same
selectors, which overlapping priorities allow, the one with fewer priorities wins, and of those the one with the lower
id, so that the order of definitions means nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol

from opsledger_events.contexts.sla import AgreementDefined, AgreementKind

Selector = Literal["team", "organisation", "service", "category", "criticality", "priorities"]
Judgement = Literal["chosen", "names_another", "less_specific", "more_priorities", "higher_id"]

_SELECTORS: Final[tuple[Selector, ...]] = ("organisation", "service", "category", "criticality", "priorities")
_SELECTORS_OF_TEAMS: Final[tuple[Selector, ...]] = ("team", *_SELECTORS)


@dataclass(frozen=True, slots=True)
class Situation:
    """What an incident is at an instant, for one kind of agreement. `team` counts for `ola` and `uc` alone."""

    kind: AgreementKind
    organisation: str | None
    service: str | None
    category: str | None
    criticality: str | None
    priority: int
    team: str | None = None


class Candidate(NamedTuple):
    """An agreement as it stands, and its id."""

    id: str
    agreement: AgreementDefined


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a candidate is or is not the one, beside the `chosen` one, if any.

    `selectors`: by which it is what it is. Chosen: those that it states. `names_another`: those that name something
    else. `less_specific`: the first one that the chosen one states and it does not. `more_priorities`, `higher_id`:
    those of both.
    """

    candidate: Candidate
    judgement: Judgement
    selectors: tuple[Selector, ...]
    chosen: Candidate | None = None


class Selecting(Protocol):
    """Whatever says what an agreement is for: one that stands, or the command that defines one."""

    @property
    def kind(self) -> AgreementKind: ...
    @property
    def priorities(self) -> Sequence[int]: ...


def selectors_of(kind: AgreementKind) -> tuple[Selector, ...]:
    """Those that agreements of a kind may state, the most telling first."""
    return _SELECTORS if kind == "sla" else _SELECTORS_OF_TEAMS


def stated(agreement: Selecting) -> tuple[Selector, ...]:
    """The selectors that an agreement states, the most telling first."""
    return tuple(name for name in selectors_of(agreement.kind) if getattr(agreement, name))


def same_selectors(one: Selecting, other: Selecting) -> bool:
    """Whether they are of one kind and for the same incidents in the same words."""
    return one.kind == other.kind and all(
        set(one.priorities) == set(other.priorities)
        if name == "priorities"
        else getattr(one, name) == getattr(other, name)
        for name in selectors_of(one.kind)
    )


def is_for(agreement: AgreementDefined, situation: Situation) -> bool:
    """Whether an agreement is for an incident, however specific others are."""
    return agreement.kind == situation.kind and not any(
        _names_another(agreement, situation, name) for name in selectors_of(agreement.kind)
    )


def ranked(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The most specific first, kind by kind."""
    return sorted(candidates, key=_rank)


def choose(candidates: Iterable[Candidate], situation: Situation) -> Candidate | None:
    """The first of `ranked` candidates that is for an incident."""
    return next((one for one in candidates if is_for(one.agreement, situation)), None)


def explain(candidates: Sequence[Candidate], situation: Situation) -> list[Verdict]:
    """One verdict for each of `ranked` candidates of the situation's kind, in their order."""
    chosen = choose(candidates, situation)
    return [_verdict(one, situation, chosen) for one in candidates if one.agreement.kind == situation.kind]


def _verdict(candidate: Candidate, situation: Situation, chosen: Candidate | None) -> Verdict:
    agreement = candidate.agreement
    names = selectors_of(agreement.kind)
    others = tuple(name for name in names if _names_another(agreement, situation, name))
    if others or chosen is None:
        return Verdict(candidate, "names_another", others, chosen)
    held = stated(agreement)
    if candidate.id == chosen.id:
        return Verdict(candidate, "chosen", held, chosen)
    lacking = tuple(name for name in stated(chosen.agreement) if name not in held)
    if not lacking:
        more = len(agreement.priorities) > len(chosen.agreement.priorities)
        return Verdict(candidate, "more_priorities" if more else "higher_id", held, chosen)
    return Verdict(candidate, "less_specific", lacking[:1], chosen)


def _rank(candidate: Candidate) -> tuple[str, tuple[bool, ...], int, str]:
    agreement = candidate.agreement
    states = tuple(not getattr(agreement, name) for name in selectors_of(agreement.kind))
    return agreement.kind, states, len(agreement.priorities), candidate.id


def _names_another(agreement: AgreementDefined, situation: Situation, name: Selector) -> bool:
    wanted = getattr(agreement, name)
    if not wanted:
        return False
    if name == "priorities":
        return situation.priority not in wanted
    return bool(wanted != getattr(situation, name))
