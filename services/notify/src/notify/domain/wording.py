"""A wording: one template's words in one language, in versions that stay readable."""

from dataclasses import dataclass
from typing import Literal

from notify.domain import rendering
from notify.domain.checks import check_key
from opsledger_events import Event
from opsledger_events.contexts.notify import WordingPublished
from opsledger_runtime.decider import Decider


@dataclass(frozen=True, slots=True)
class PublishWording:
    """Add a version. `event_types`: every event that this template is used for, to try it with."""

    template: str
    language: Literal["zh-CN", "en"]
    subject: str
    body: str
    event_types: frozenset[str]


@dataclass(frozen=True, slots=True)
class Wording:
    """Version 0: nothing published yet."""

    subject: str = ""
    body: str = ""
    version: int = 0


def decide(command: PublishWording, state: Wording) -> list[Event]:
    """The same words again are no new version.

    Raises:
        Invalid: the words cannot be filled in from the events that they are for.
    """
    check_key(command.template, "/template")
    rendering.check(command.subject, command.body, command.event_types)
    if state.version and (command.subject, command.body) == (state.subject, state.body):
        return []
    return [
        WordingPublished(
            template=command.template,
            language=command.language,
            version=state.version + 1,
            subject=command.subject,
            body=command.body,
        )
    ]


def evolve(state: Wording, event: Event) -> Wording:
    """The latest version counts."""
    match event:
        case WordingPublished():
            return Wording(event.subject, event.body, event.version)
        case _:
            return state


WORDING = Decider(decide, evolve, Wording())


def aggregate(template: str, language: str) -> str:
    """The aggregate's id."""
    return f"wording:{template}/{language}"
