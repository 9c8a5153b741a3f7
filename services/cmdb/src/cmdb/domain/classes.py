"""Classes of items: what their items must say, whether what an item says conforms, and when a definition is none.

Redefining a class breaks no item: those that no longer conform are listed, and mended when they are next described.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from urllib.parse import urlsplit

from cmdb.domain import patterns
from opsledger_events import Event
from opsledger_events.contexts.cmdb import AttributeDefinition, AttributeValue, ConfigurationItemClassDefined
from opsledger_events.names import is_name
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import FieldError, Invalid

CLASS_KEY: Final = r"^[a-z][a-z0-9_]{0,39}$"
LONGEST_TEXT: Final = 2000
"""Characters of a text attribute, unless its definition allows fewer."""

MOST_ATTRIBUTES: Final = 100
MOST_CHOICES: Final = 200
_KEY: Final = re.compile(CLASS_KEY[1:-1])
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_BOUNDED: Final = ("integer", "text")


@dataclass(frozen=True, slots=True)
class ClassDefinition:
    """A class as it is defined now."""

    key: str
    name_zh: str
    name_en: str
    attributes: tuple[AttributeDefinition, ...] = ()
    needs_administrator: bool = False
    needs_database_administrator: bool = False
    is_service: bool = False


DefineClass = ClassDefinition
"""The command that defines a class is the definition."""


@dataclass(frozen=True, slots=True)
class ClassState:
    """The definition in force and its revision."""

    definition: ClassDefinition | None = None
    revision: int = 0


def decide(command: DefineClass, state: ClassState) -> Sequence[ConfigurationItemClassDefined]:
    """Define or replace; the same definition again is nothing new.

    Raises:
        Invalid: says for each wrong attribute what to change.
    """
    problems = [found for at, one in enumerate(command.attributes) for found in _definition_problems(at, one)]
    if len(command.attributes) > MOST_ATTRIBUTES:
        problems.append(FieldError("/attributes", f"Define at most {MOST_ATTRIBUTES} attributes."))
    keys = [one.key for one in command.attributes]
    problems += [
        FieldError(f"/attributes/{at}/key", f"“{key}” is defined twice. Leave one out or rename it.")
        for at, key in enumerate(keys)
        if key in keys[:at]
    ]
    if problems:
        raise Invalid(
            "The definition of the class cannot be used. " + problems[0].detail, problems, code="class_definition"
        )
    if command == state.definition:
        return []
    return [
        ConfigurationItemClassDefined(
            key=command.key,
            name_zh=command.name_zh,
            name_en=command.name_en,
            attributes=list(command.attributes),
            needs_administrator=command.needs_administrator,
            needs_database_administrator=command.needs_database_administrator,
            is_service=command.is_service,
            revision=state.revision + 1,
        )
    ]


def evolve(state: ClassState, event: Event) -> ClassState:
    """The class after one more event."""
    if not isinstance(event, ConfigurationItemClassDefined):
        return state
    return ClassState(definition_of(event), event.revision)


def definition_of(event: ConfigurationItemClassDefined) -> ClassDefinition:
    """The definition that an event announces."""
    return ClassDefinition(
        event.key,
        event.name_zh,
        event.name_en,
        tuple(event.attributes),
        event.needs_administrator,
        event.needs_database_administrator,
        event.is_service,
    )


CLASS: Final[Decider[DefineClass, ClassState]] = Decider(decide, evolve, ClassState())


def _definition_problems(at: int, one: AttributeDefinition) -> list[FieldError]:
    found: list[tuple[str, str]] = []
    if not _KEY.fullmatch(one.key):
        found.append(("key", "Begin the key with a small letter; then at most 39 small letters, digits or `_`."))
    found += [
        (name, "Write a name of one visible line.")
        for name, text in (("name_zh", one.name_zh), ("name_en", one.name_en))
        if not is_name(text)
    ]
    if one.kind == "choice":
        if not one.choices:
            found.append(("choices", f"“{one.key}” is a choice; list what can be chosen, or make it a text."))
        elif len(set(one.choices)) != len(one.choices) or len(one.choices) > MOST_CHOICES:
            found.append(("choices", f"List each choice of “{one.key}” once, and at most {MOST_CHOICES}."))
        elif not all(is_name(choice) for choice in one.choices):
            found.append(("choices", f"Write each choice of “{one.key}” as one visible line."))
    elif one.choices:
        found.append(("choices", f"“{one.key}” is no choice; leave the choices out, or make it one."))
    if one.kind not in _BOUNDED and (one.minimum, one.maximum) != (None, None):
        found.append(("minimum", f"Only a whole number or a text has bounds; leave those of “{one.key}” out."))
    elif one.minimum is not None and one.maximum is not None and one.minimum > one.maximum:
        found.append(("minimum", f"The minimum of “{one.key}” is above its maximum. Exchange or change them."))
    elif one.kind == "text" and min(one.minimum or 0, one.maximum or 0) < 0:
        found.append(("minimum", f"A length is not negative; change the bounds of “{one.key}”."))
    if one.pattern is not None:
        if one.kind != "text":
            found.append(("pattern", f"Only a text has a pattern; leave that of “{one.key}” out."))
        else:
            try:
                patterns.check(one.pattern)
            except patterns.BadPattern as error:
                found.append(("pattern", f"The pattern of “{one.key}” cannot be used: {error}. Simplify it."))
    return [FieldError(f"/attributes/{at}/{name}", detail) for name, detail in found]


def problems_of(definition: ClassDefinition, attributes: Mapping[str, AttributeValue]) -> list[FieldError]:
    """What in an item's attributes does not conform; nothing where all does."""
    known = {one.key: one for one in definition.attributes}
    found = [
        FieldError(f"/attributes/{key}", f"The class {definition.key} has no attribute “{key}”. Leave it out.")
        for key in attributes
        if key not in known
    ]
    for one in definition.attributes:
        if one.key not in attributes:
            if one.required:
                found.append(FieldError(f"/attributes/{one.key}", f"“{one.key}” must be stated."))
        elif (wrong := _wrong(one, attributes[one.key])) is not None:
            found.append(FieldError(f"/attributes/{one.key}", f"“{one.key}” {wrong}."))
    return found


def require_conforming(definition: ClassDefinition, attributes: Mapping[str, AttributeValue]) -> None:
    """Refuse attributes that do not conform.

    Raises:
        Invalid: names each.
    """
    found = problems_of(definition, attributes)
    if found:
        raise Invalid(f"The attributes do not conform. {found[0].detail}", found, code="attributes_do_not_conform")


def parsed(one: AttributeDefinition, text: str) -> AttributeValue:
    """A value as it stands in a file; what it cannot be is left as text, for `problems_of` to tell."""
    if one.kind == "integer" and re.fullmatch(r"[+-]?\d{1,15}", text):
        return int(text)
    if one.kind == "boolean":
        return {
            "true": True,
            "yes": True,
            "1": True,
            "是": True,
            "false": False,
            "no": False,
            "0": False,
            "否": False,
        }.get(text.lower(), text)
    return text


def _wrong(one: AttributeDefinition, value: Any) -> str | None:
    match one.kind:
        case "integer":
            if isinstance(value, bool) or not isinstance(value, int):
                return "must be a whole number"
            return _out_of_bounds(one, value, "must be")
        case "boolean":
            return None if isinstance(value, bool) else "must be true or false"
    if not isinstance(value, str) or value == "":
        return "must be a text that is not empty"
    match one.kind:
        case "text":
            if len(value) > LONGEST_TEXT:
                return f"must have at most {LONGEST_TEXT} characters"
            if one.pattern is not None and not patterns.matches(one.pattern, value):
                return f"must be of the form {one.pattern}"
            return _out_of_bounds(one, len(value), "must have a length of")
        case "choice":
            return None if value in one.choices else f"must be one of: {', '.join(one.choices)}"
        case "date":
            return None if _is_date(value) else "must be a date such as 2026-11-22"
        case "ip_address":
            return None if _is_address(value) else "must be an IPv4 or IPv6 address"
        case "url":
            return None if _is_url(value) else "must be a URL with http or https"
    return None


def _out_of_bounds(one: AttributeDefinition, number: int, begin: str) -> str | None:
    if one.minimum is not None and number < one.minimum:
        return f"{begin} at least {one.minimum}"
    if one.maximum is not None and number > one.maximum:
        return f"{begin} at most {one.maximum}"
    return None


def _is_date(text: str) -> bool:
    try:
        return _DATE.fullmatch(text) is not None and date.fromisoformat(text) is not None
    except ValueError:
        return False


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and len(text) <= LONGEST_TEXT
    except ValueError:
        return False
