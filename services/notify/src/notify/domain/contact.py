"""A contact: somebody who can be told. Its name and address are not here (D11); see `notify.addresses`."""

from dataclasses import dataclass, replace
from typing import Literal

from opsledger_events import Event
from opsledger_events.contexts.notify import ContactRegistered
from opsledger_runtime.decider import Decider

Language = Literal["zh-CN", "en"]


@dataclass(frozen=True, slots=True)
class RegisterContact:
    """Register or replace. `address_changed`: the name or address differs from what notify holds."""

    language: Language
    active: bool
    address_changed: bool


@dataclass(frozen=True, slots=True)
class Contact:
    """Revision 0: never registered."""

    language: str = ""
    active: bool = False
    revision: int = 0


def decide(command: RegisterContact, state: Contact) -> list[Event]:
    """A replacement that changes nothing is no fact."""
    same = (command.language, command.active) == (state.language, state.active) and not command.address_changed
    if state.revision and same:
        return []
    return [ContactRegistered(language=command.language, active=command.active, revision=state.revision + 1)]


def evolve(state: Contact, event: Event) -> Contact:
    """The latest registration counts."""
    match event:
        case ContactRegistered():
            return replace(state, language=event.language, active=event.active, revision=event.revision)
        case _:
            return state


CONTACT = Decider(decide, evolve, Contact())


def aggregate(contact: str) -> str:
    """The aggregate's id. All aggregates of a context share one space of ids, and clients choose these."""
    return f"contact:{contact}"
