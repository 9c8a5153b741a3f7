"""Event type names to classes, and upcasters between majors."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, Final

from opsledger_events.contract import Event
from opsledger_events.envelope import Envelope

CONTEXTS: Final = ("incident", "sla", "notify", "cmdb")
"""The contexts that announce events; each is a module in `opsledger_events.contexts`."""

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: Final[dict[str, Upcaster]] = {}
"""From a retired type name to the data of its next major: pure functions, only between majors."""


class UnknownType(LookupError):
    """No release of this library has known such a type name."""


class UnknownMajor(UnknownType):
    """The event is known, its major version is not: a newer producer runs; the consumer must be upgraded first."""


def _subclasses(base: type[Event]) -> list[type[Event]]:
    return [
        found
        for child in base.__subclasses__()
        for found in ([child] if "type_name" in vars(child) else []) + _subclasses(child)
    ]


@cache
def _registry() -> dict[str, type[Event]]:
    for context in CONTEXTS:
        import_module(f"opsledger_events.contexts.{context}")
    found: dict[str, type[Event]] = {}
    for cls in _subclasses(Event):
        if not cls.__module__.startswith("opsledger_events.contexts."):
            continue
        if cls.type_name in found:
            raise RuntimeError(f"two classes claim {cls.type_name}")
        found[cls.type_name] = cls
    return found


def event_classes() -> dict[str, type[Event]]:
    """Every contract by type name, sorted."""
    return dict(sorted(_registry().items()))


def event_class(type_name: str) -> type[Event]:
    """The class of `incident.IncidentOpened.v1`.

    Raises:
        UnknownMajor: the event exists in another major version.
        UnknownType: no such event.
    """
    found = _registry().get(type_name)
    if found is not None:
        return found
    stem = type_name.rsplit(".", 1)[0]
    if any(known.rsplit(".", 1)[0] == stem for known in _registry()):
        raise UnknownMajor(type_name)
    raise UnknownType(type_name)


def decode(envelope: Envelope) -> Event:
    """The typed payload, upcast to the newest major this release knows; read once per envelope, shared by its readers.

    Raises:
        UnknownMajor, UnknownType: as `event_class`.
        pydantic.ValidationError: the data breaks the contract.
    """
    found = envelope.decoded
    if found is None:
        found = _read(envelope)
        object.__setattr__(envelope, "decoded", found)  # frozen for everybody else
    return found


def _read(envelope: Envelope) -> Event:
    type_name, data = envelope.type_name, envelope.data
    while type_name in UPCASTERS:
        data = UPCASTERS[type_name](data)
        stem, major = type_name.rsplit(".v", 1)
        type_name = f"{stem}.v{int(major) + 1}"
    return event_class(type_name).read(data)
