"""A team: the contacts behind a key that other services use."""

from dataclasses import dataclass
from typing import Final

from notify.domain.checks import check_key, check_name
from opsledger_events import Event
from opsledger_events.contexts.notify import TeamFormed
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import FieldError, Invalid

MOST_MEMBERS: Final = 500


@dataclass(frozen=True, slots=True)
class FormTeam:
    """Form or replace. `members` are contact ids."""

    key: str
    name: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Team:
    """Revision 0: never formed."""

    name: str = ""
    members: tuple[str, ...] = ()
    revision: int = 0


def decide(command: FormTeam, state: Team) -> list[Event]:
    """Members are kept in the order given, each once.

    Raises:
        Invalid: a key, name or member that cannot be one, or more than 500 members.
    """
    name = check_name(command.name, "/name")
    members = tuple(
        dict.fromkeys(check_key(member, f"/members/{index}") for index, member in enumerate(command.members))
    )
    if len(members) > MOST_MEMBERS:
        raise Invalid(f"A team has at most {MOST_MEMBERS} members.", [FieldError("/members", "form several teams")])
    if state.revision and (name, members) == (state.name, state.members):
        return []
    key = check_key(command.key, "/key")
    return [TeamFormed(key=key, name=name, members=list(members), revision=state.revision + 1)]


def evolve(state: Team, event: Event) -> Team:
    """The latest formation counts."""
    match event:
        case TeamFormed():
            return Team(event.name, tuple(event.members), event.revision)
        case _:
            return state


TEAM = Decider(decide, evolve, Team())


def aggregate(key: str) -> str:
    """The aggregate's id."""
    return f"team:{key}"
