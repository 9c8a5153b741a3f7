"""A rule: which event reaches whom, with which wording."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from notify.domain.checks import check_key, is_key
from notify.domain.contact import Language
from notify.domain.facts import NOTIFIABLE
from opsledger_events import Event
from opsledger_events.contexts.notify import RuleDefined
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import FieldError, Invalid

ROLES: Final = ("team", "assignee", "requester")
"""Recipients that each incident names for itself."""

MOST_RECIPIENTS: Final = 50


@dataclass(frozen=True, slots=True)
class DefineRule:
    """Define or replace. `recipients`: `team`, `assignee`, `requester`, `contact:<id>` or `team:<key>`.

    `otherwise` (the same kinds) are told where `recipients` lead to nobody, and of a vendor's clock (UC) as well;
    `language` None: each reader's own. `team` is the incident's; of a team's clock (OLA, UC) the one that it measures.
    """

    event_type: str
    recipients: tuple[str, ...]
    template: str
    active: bool
    otherwise: tuple[str, ...] = ()
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """Revision 0: never defined."""

    event_type: str = ""
    recipients: tuple[str, ...] = ()
    template: str = ""
    active: bool = False
    otherwise: tuple[str, ...] = ()
    language: Language | None = None
    revision: int = 0


def is_recipient(token: str) -> bool:
    """Whether `token` names somebody in a way that a rule may."""
    kind, colon, key = token.partition(":")
    return token in ROLES or (bool(colon) and kind in ("contact", "team") and is_key(key))


def named(recipients: Sequence[str], kind: str) -> list[str]:
    """The contacts or teams that a rule names outright."""
    return [token.partition(":")[2] for token in recipients if token.startswith(f"{kind}:")]


def decide(command: DefineRule, state: Rule) -> list[Event]:
    """Recipients are kept in the order given, each once.

    Raises:
        Invalid: an event that concerns no incident, a recipient of no known kind, none at all, or too many.
    """
    if command.event_type not in NOTIFIABLE:
        raise Invalid(
            "No notice can be sent about this event.",
            [FieldError("/event_type", "one of " + ", ".join(sorted(NOTIFIABLE)))],
        )
    wrong = [
        FieldError(f"/{field}/{index}", "team, assignee, requester, contact:<id> or team:<key>")
        for field, tokens in (("recipients", command.recipients), ("otherwise", command.otherwise))
        for index, token in enumerate(tokens)
        if not is_recipient(token)
    ]
    if wrong:
        raise Invalid("A recipient is not of a known kind.", wrong)
    recipients = tuple(dict.fromkeys(command.recipients))
    otherwise = tuple(dict.fromkeys(command.otherwise))
    if not 1 <= len(recipients) <= MOST_RECIPIENTS:
        raise Invalid(f"A rule has 1 to {MOST_RECIPIENTS} recipients.", [FieldError("/recipients", "name somebody")])
    if len(otherwise) > MOST_RECIPIENTS:
        raise Invalid(
            f"A rule has at most {MOST_RECIPIENTS} others to tell.", [FieldError("/otherwise", "form a team")]
        )
    template = check_key(command.template, "/template")
    wanted = Rule(command.event_type, recipients, template, command.active, otherwise, command.language, state.revision)
    if state.revision and wanted == state:
        return []
    return [
        RuleDefined(
            event_type=command.event_type,
            recipients=list(recipients),
            template=template,
            active=command.active,
            otherwise=list(otherwise),
            language=command.language,
            revision=state.revision + 1,
        )
    ]


def evolve(state: Rule, event: Event) -> Rule:
    """The latest definition counts."""
    match event:
        case RuleDefined():
            return Rule(
                event.event_type,
                tuple(event.recipients),
                event.template,
                event.active,
                tuple(event.otherwise),
                event.language,
                event.revision,
            )
        case _:
            return state


RULE = Decider(decide, evolve, Rule())


def aggregate(key: str) -> str:
    """The aggregate's id."""
    return f"rule:{key}"
