"""Documents of calendars and agreements: what of them is YAML's own is turned into the body that the platform takes.

Owns metadata, durations and the calendar that an agreement names. Every other field goes through as it is written: the
platform knows its fields, and refuses what it does not know.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from uuid import UUID

from opsledger.applying_yaml import Node, Place, Trouble, Unusable
from opsledger_runtime import ids

API_VERSION: Final = "opsledger/v1"
MOST_DOCUMENTS: Final = 1_000

Kind = Literal["calendar", "agreement"]
KINDS: Final[dict[str, Kind]] = {"Calendar": "calendar", "Agreement": "agreement"}

_NAME: Final = re.compile(r"[a-z0-9]([-.a-z0-9]{0,61}[a-z0-9])?")
_DURATION: Final = re.compile(r"(?:([0-9]{1,6})h)?(?:([0-9]{1,8})m)?(?:([0-9]{1,9})s)?")
_DAYS: Final = re.compile(r"[0-9.]+\s*(d|days?|w|weeks?|天|日|周)([0-9\s].*)?", re.IGNORECASE)
_SUFFIXES: Final = ("_seconds", "_by")


@dataclass(frozen=True, slots=True)
class Document:
    """A definition: its key in the files, its id on the platform, and the body to be put there."""

    kind: Kind
    name: str
    id: UUID
    place: Place
    spec: Node

    @property
    def label(self) -> str:
        """As people read it: `calendar/office-hours`."""
        return f"{self.kind}/{self.name}"

    @property
    def path(self) -> str:
        """Under the API of service levels."""
        return f"/{self.kind}s/{self.id}"

    def at(self, pointer: str) -> Place:
        """Where the value at a JSON pointer into the body is written."""
        parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
        return self.spec.at(parts)


@dataclass(frozen=True, slots=True)
class Defined:
    """A calendar that the platform has."""

    id: UUID
    name: str


def id_of(kind: str, name: str) -> UUID:
    """The id of a definition that gives none. `default` is the one that a new installation begins with."""
    return ids.derived_id(kind, name)


def documents(nodes: Sequence[Node]) -> list[Document]:
    """The definitions, calendars first, each in the order of the files.

    Raises:
        Unusable: with everything that is wrong with any of them.
    """
    troubles: list[Trouble] = []
    found: list[Document] = []
    for node in nodes:
        try:
            found.append(_document(node))
        except Unusable as error:
            troubles += error.troubles
    seen: dict[Any, Document] = {}
    for one in found:
        for key in ((one.kind, one.name), one.id):
            if (before := seen.setdefault(key, one)) is not one:
                troubles.append(Trouble(one.place, "document_twice", {"label": one.label, "other": before.place}))
                break
    if len(nodes) > MOST_DOCUMENTS:
        troubles.append(Trouble(nodes[MOST_DOCUMENTS].place, "too_many_documents", {"count": f"{MOST_DOCUMENTS:,}"}))
    if troubles:
        raise Unusable(troubles)
    return sorted(found, key=lambda one: one.kind == "agreement")


def named(found: Sequence[Document], defined: Sequence[Defined]) -> list[Document]:
    """The same, with the id of the calendar in place of its name in every agreement.

    A name is looked for among the documents first, then as an id, as a document applied before, and as what the
    platform shows as name.

    Raises:
        Unusable: a name means no calendar, or several.
    """
    own = {one.name: one.id for one in found if one.kind == "calendar"}
    troubles: list[Trouble] = []
    complete = []
    for one in found:
        reference = (one.spec.mapping or {}).get("calendar")
        if one.kind == "agreement" and reference is not None and isinstance(reference.value, str):
            meant = _meant(reference.value, own, defined)
            if len(meant) == 1:
                one = replace(one, spec=_with(one.spec, "calendar", Node(reference.place, str(meant[0]))))
            else:
                code = "several_calendars" if meant else "no_such_calendar"
                values = {"name": reference.value[:100], "ids": ", ".join(str(each) for each in meant)}
                troubles.append(Trouble(reference.place, code, values))
        complete.append(one)
    if troubles:
        raise Unusable(troubles)
    return complete


def seconds_of(text: str) -> int:
    """The length of a duration such as `15m`, `4h` or `1h30m`.

    Raises:
        ValueError: it is none; the message is the code of the reason.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise ValueError("days" if _DAYS.fullmatch(text.strip()) else "no_duration")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def shown_seconds(seconds: int) -> str:
    """The same duration as `seconds_of` reads it."""
    hours, rest = divmod(seconds, 3600)
    parts = ((hours, "h"), (rest // 60, "m"), (rest % 60, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


def _meant(name: str, own: Mapping[str, UUID], defined: Sequence[Defined]) -> list[UUID]:
    if name in own:
        return [own[name]]
    try:
        return [UUID(name)]
    except ValueError:
        applied = id_of("calendar", name)
        return [one.id for one in defined if one.id == applied] or [one.id for one in defined if one.name == name]


def _document(node: Node) -> Document:
    top = _fields(node, "document", ("apiVersion", "kind", "metadata", "spec"), needed=True)
    version, kind = top["apiVersion"], top["kind"]
    if version.value != API_VERSION:
        raise _refused(version.place, "api_version", expected=API_VERSION)
    if not isinstance(kind.value, str) or kind.value not in KINDS:
        raise _refused(kind.place, "kind", kinds=", ".join(KINDS))
    metadata = _fields(top["metadata"], "metadata", ("name", "id"))
    name = metadata.get("name")
    if name is None or not isinstance(name.value, str) or not _NAME.fullmatch(name.value):
        raise _refused((name or top["metadata"]).place, "name")
    own = KINDS[kind.value]
    spec = top["spec"]
    if spec.mapping is None:
        raise _refused(spec.place, "no_mapping", what="spec")
    if "name" not in spec.mapping:
        spec = Node(spec.place, {"name": name, **spec.mapping}, {"name": name.place, **spec.keys})
    if own == "agreement":
        spec = _with_seconds(spec)
    return Document(own, name.value, _id(metadata.get("id"), own, name.value), node.place, spec)


def _fields(node: Node, what: str, known: Sequence[str], *, needed: bool = False) -> Mapping[str, Node]:
    fields = node.mapping
    if fields is None:
        raise _refused(node.place, "no_mapping", what=what)
    for key in fields:
        if key not in known:
            raise _refused(node.keys[key], "unknown_field", key=key[:100], known=", ".join(known))
    if needed and (missing := [key for key in known if key not in fields]):
        raise _refused(node.place, "missing_field", keys=", ".join(missing))
    return fields


def _id(given: Node | None, kind: Kind, name: str) -> UUID:
    if given is None:
        return id_of(kind, name)
    try:
        return UUID(given.value)
    except (ValueError, AttributeError, TypeError) as error:
        raise _refused(given.place, "no_id") from error


def _with(spec: Node, key: str, node: Node) -> Node:
    """The mapping with one value more, or another; its key stands where it did, or where the value does."""
    nodes = {**(spec.mapping or {}), key: node}
    return Node(spec.place, nodes, {**spec.keys, key: spec.keys.get(key, node.place)})


def _with_seconds(spec: Node) -> Node:
    """The agreement with every `<metric>` of its targets as `<metric>_seconds` or `<metric>_by`."""
    targets = (spec.mapping or {}).get("targets")
    if targets is None or targets.items is None:
        return spec
    troubles: list[Trouble] = []
    items = [_target(item, troubles) for item in targets.items]
    if troubles:
        raise Unusable(troubles)
    return _with(spec, "targets", Node(targets.place, items))


def _target(item: Node, troubles: list[Trouble]) -> Node:
    if item.mapping is None:
        return item
    nodes: dict[str, Node] = {}
    keys: dict[str, Place] = {}
    for key, node in item.mapping.items():
        name = key
        if key != "priority" and not key.endswith(_SUFFIXES) and node.value is not None:
            try:
                name, node = _metric(key, node)
            except ValueError as error:
                shown = str(node.value)[:40] if node.items is None else "[…]"
                troubles.append(Trouble(node.place, str(error), {"text": shown, "metric": key[:60]}))
        if name in nodes:
            troubles.append(Trouble(item.keys[key], "metric_twice", {"metric": name[:60]}))
        nodes[name], keys[name] = node, item.keys[key]
    return Node(item.place, nodes, keys)


def _metric(key: str, node: Node) -> tuple[str, Node]:
    if node.mapping is not None:
        return f"{key}_by", node
    if isinstance(node.value, str):
        return f"{key}_seconds", Node(node.place, seconds_of(node.value))
    raise ValueError("no_duration")


def _refused(place: Place, code: str, **values: Any) -> Unusable:
    return Unusable([Trouble(place, code, values)])
