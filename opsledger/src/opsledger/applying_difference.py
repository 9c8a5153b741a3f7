"""What would change in a definition, field by field and as people write it.

Owns how a definition is compared with the one that the platform has. A calendar is resolved as the platform resolves
it, so that the days that come and go are shown; of an agreement nothing is known but what its contract leaves out.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticUndefined

from opsledger.applying_documents import Document, shown_seconds
from opsledger.applying_words import chinese, say
from opsledger.applying_yaml import Trouble, Unusable
from opsledger_events.contexts.sla import AgreementDefined, CalendarDefined
from opsledger_runtime.errors import Invalid, pointer
from opsledger_runtime.problem_texts import field_text

FEW: Final = 3
"""So many days are shown; all are counted."""

_GIVEN_BY_PLATFORM: Final = ("id", "revision", "default", "warnings")
_NOTHING: Final[tuple[Any, ...]] = (None, "", [], {})
_USUAL: Final = {
    name: known.get_default(call_default_factory=True)
    for name, known in AgreementDefined.model_fields.items()
    if known.get_default(call_default_factory=True) is not PydanticUndefined
}
"""What an agreement has where it says nothing."""

_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_UNORDERED: Final = ("warning_percent", "priorities")


@dataclass(frozen=True, slots=True)
class Change:
    """A field before and after; None: it is not there. `text` instead, where neither can be shown whole."""

    path: str
    before: str | None = None
    after: str | None = None
    text: str | None = None

    def __str__(self) -> str:
        if self.text is not None:
            return f"{self.path}  {self.text}"
        if self.before is None:
            return f"{self.path}  {self.after}"
        return f"{self.path}  {self.before} → {'–' if self.after is None else self.after}"


def wanted(document: Document, present: Mapping[str, Any] | None, now: datetime, language: str) -> dict[str, Any]:
    """The definition that the platform would have, in the form in which it shows one.

    Raises:
        Unusable: the body breaks a rule of the platform, with the place of each value.
    """
    if document.kind == "agreement":
        from sla.api.drafts import AgreementBody

        _checked(document, AgreementBody, language)
        return _agreement(document.spec.plain())
    from sla.api.calendar_bodies import CalendarBody

    parsed, unknown = _checked(document, CalendarBody, language)
    return {**_calendar(document, parsed, present, now, language), **unknown}


def as_compared(kind: str, shown: Mapping[str, Any]) -> dict[str, Any]:
    """What the platform shows of a definition, in the same form as `wanted`."""
    return _agreement(shown) if kind == "agreement" else _without_given(shown)


def as_asked(kind: str, shown: Mapping[str, Any]) -> dict[str, Any]:
    """The shortest body that defines what the platform shows; lists keep their order."""
    if kind == "calendar":
        from sla.calendars import asked_of

        asked = asked_of(_as_event(shown))
        for day in asked["exceptions"]:
            del day["source"]  # said by the platform, and not to it
        return {"name": shown["name"], **_without_nothing(asked)}
    usual = {name: value for name, value in _USUAL.items() if value not in _NOTHING}
    return {name: value for name, value in _without_given(shown).items() if usual.get(name) != value}


def changes(
    before: Mapping[str, Any] | None, after: Mapping[str, Any], names: Mapping[str, str], language: str
) -> list[Change]:
    """What is different, in the order of the fields. `names` of calendars by id."""
    if before == after:
        return []
    old, new = (_fields(found or {}, names, language) for found in (before, after))
    if before is None:
        new = {path: text for path, text in new.items() if _USUAL.get(path) != text}
    found = [Change(path, old.get(path), new.get(path)) for path in {**new, **old} if old.get(path) != new.get(path)]
    for dated in ("exceptions", "days"):
        told = _dated((before or {}).get(dated) or [], after.get(dated) or [], language)
        if told is not None:
            found.append(Change(dated, text=told))
    return found


def _checked(document: Document, model: type[BaseModel], language: str) -> tuple[Any, dict[str, Any]]:
    """The body as the platform would read it, and by path what is unknown here: the platform may be newer."""
    body = document.spec.plain()
    unknown: dict[str, Any] = {}
    try:
        return model.model_validate(body), unknown
    except ValidationError as error:
        tongue = "zh-CN" if chinese(language) else "en"
        troubles = []
        for one in error.errors():
            where = pointer(one["loc"])
            if one["type"] == "extra_forbidden":
                unknown[".".join(str(part) for part in one["loc"])] = one["input"]
                _remove(body, one["loc"])
                continue
            detail = f"{where}: {field_text(one['type'], tongue, one.get('ctx') or {}, one['msg'])}"
            troubles.append(Trouble(document.at(where), "told", {"detail": detail}))
        if troubles:
            raise Unusable(troubles) from error
    return model.model_validate(body), unknown


def _remove(body: Any, path: Sequence[str | int]) -> None:
    for part in path[:-1]:
        body = body[part]
    del body[path[-1]]


def _agreement(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is as if left out, with lists in the order in which they are kept."""
    given = {name: value for name, value in shown.items() if value is not None}
    found = _without_given({**given, **{name: value for name, value in _USUAL.items() if name not in given}})
    targets = found.get("targets")
    if isinstance(targets, list):
        plain = [_without_nothing(one) if isinstance(one, dict) else one for one in targets]
        found["targets"] = _in_order(plain, "priority")
    for name in _UNORDERED:
        if isinstance(found.get(name), list):
            found[name] = _in_order(found[name])
    return found


def _in_order(values: list[Any], key: str | None = None) -> list[Any]:
    def place(value: Any) -> Any:
        return value.get(key) if key and isinstance(value, dict) else value

    # Where that are no numbers the platform refuses it, whatever its order.
    return sorted(values, key=place) if all(isinstance(place(one), int) for one in values) else values


def _calendar(
    document: Document, parsed: Any, present: Mapping[str, Any] | None, now: datetime, language: str
) -> dict[str, Any]:
    from sla.calendars import definition_of
    from sla.domain.commands import DefineCalendar
    from sla.domain.definitions import DEFINITION, DefinitionState
    from sla.messages import ZH

    before = None if present is None else _as_event(present)
    try:
        command = DefineCalendar(parsed.name, definition_of(parsed.model_dump(exclude={"name"}), now), at=now)
        (defined, *_) = [*DEFINITION.decide(command, DefinitionState(before)), before]
    except Invalid as error:
        told = ZH.get(error.code, error.message) if chinese(language) else error.message
        places = [document.at(one.pointer) for one in error.errors] or [document.place]
        raise Unusable([Trouble(places[0], "told", {"detail": told})]) from error
    return _without_given(defined.model_dump(mode="json") if defined is not None else {})


def _as_event(shown: Mapping[str, Any]) -> CalendarDefined:
    return CalendarDefined.model_validate({name: shown[name] for name in CalendarDefined.model_fields if name in shown})


def _without_given(shown: Mapping[str, Any]) -> dict[str, Any]:
    return _without_nothing({name: value for name, value in shown.items() if name not in _GIVEN_BY_PLATFORM})


def _without_nothing(value: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, one in value.items():
        if isinstance(one, dict):
            one = _without_nothing(one)
        elif isinstance(one, list):
            one = [_without_nothing(each) if isinstance(each, dict) else each for each in one]
        if one is not False and one not in _NOTHING:
            found[name] = one
    return found


def _fields(definition: Mapping[str, Any], names: Mapping[str, str], language: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in definition.items():
        if name in ("days", "exceptions"):
            continue
        if name == "targets" and isinstance(value, list):
            rows: Iterable[tuple[str, str]] = _targets(value, language)
        elif name == "weekly" and isinstance(value, list):
            rows = _weekly(value)
        elif name == "calendar":
            rows = [(name, names.get(str(value), str(value)))]
        else:
            rows = _flat(name, value)
        for path, text in rows:
            while path in found:  # a priority that is given twice, which the platform refuses
                path += "'"
            found[path] = text
    return found


def _targets(targets: list[Any], language: str) -> Iterator[tuple[str, str]]:
    for n, target in enumerate(targets):
        if not isinstance(target, dict):
            yield f"targets.{n}", _text(target)
            continue
        at = f"targets.P{target.get('priority', '?')}"
        for name, value in target.items():
            if name == "priority":
                continue
            if name.endswith("_seconds") and type(value) is int and value >= 0:
                yield f"{at}.{name.removesuffix('_seconds')}", shown_seconds(value)
            elif name.endswith("_by") and isinstance(value, dict) and set(value) <= {"working_days", "at"}:
                day = say("working_day", language, count=value.get("working_days"))
                yield f"{at}.{name.removesuffix('_by')}", f"{day} {value.get('at') or say('at_close', language)}"
            else:
                yield f"{at}.{name}", _text(value)


def _weekly(weekly: list[Any]) -> Iterator[tuple[str, str]]:
    hours: dict[str, list[str]] = {}
    for one in weekly:
        day = one.get("day")
        name = _WEEKDAYS[day] if isinstance(day, int) and 0 <= day < len(_WEEKDAYS) else str(day)
        hours.setdefault(name, []).append(f"{one.get('opens')}–{one.get('closes')}")
    for name, spans in hours.items():
        yield f"weekly.{name}", ", ".join(spans)


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _flat(f"{path}.{name}", one)
    elif isinstance(value, list) and not any(isinstance(one, dict | list) for one in value):
        yield path, ", ".join(_text(one) for one in value)
    else:
        yield path, _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _dated(before: list[Any], after: list[Any], language: str) -> str | None:
    """How many days come, go and change, and the first few of each; None where they are the same."""
    old, new = ({str(day.get("date")): day for day in days} for days in (before, after))
    if old == new:
        return None
    lists = (
        ("+", [new[day] for day in sorted(new.keys() - old.keys())]),
        ("-", [old[day] for day in sorted(old.keys() - new.keys())]),
        ("~", [new[day] for day in sorted(new.keys() & old.keys()) if new[day] != old[day]]),
    )
    parts = [f"{len(old)} → {len(new)}" if before else str(len(new))]
    for sign, days in lists:
        if days:
            shown = [_day(day, language) for day in days[:FEW]]
            if len(days) > FEW:
                shown.append(say("more", language, count=len(days) - FEW))
            parts.append(f"{sign}{len(days)} ({', '.join(shown)})")
    return "  ".join(parts)


def _day(day: Mapping[str, Any], language: str) -> str:
    hours = "+".join(f"{one.get('opens')}–{one.get('closes')}" for one in day.get("hours") or [])
    name = day.get("name_zh" if chinese(language) else "name_en") or day.get("name_zh") or day.get("name_en")
    return " ".join(str(part) for part in (day.get("date"), day.get("kind"), hours, name) if part)
