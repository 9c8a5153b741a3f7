"""YAML as `opsledger apply` reads it: every value with its file, line and column, and only what means one thing.

The parser gives events and no values: plain scalars are resolved here by the core schema of YAML 1.2.2 (§10.3), so that
09:00 is text and not 540, and NO a country and not false. Refuses tags, merge keys, keys given twice, numbers that may
be meant as text, and what grows beyond bounds.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

MOST_BYTES: Final = 1024 * 1024
"""Of one file, which is also the largest body that the platform takes."""

MOST_VALUES: Final = 100_000
"""Values of one file, those that aliases repeat included."""

DEEPEST: Final = 20

_NULL: Final = ("", "~", "null", "Null", "NULL")
_TRUE: Final = ("true", "True", "TRUE")
_FALSE: Final = ("false", "False", "FALSE")
_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_OTHER_NUMBER: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9]+")
_LONGEST_NUMBER: Final = 16
_UNSENDABLE: Final = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong somewhere: a code of the words, and what fills its sentence."""

    place: Place | None
    code: str
    values: Mapping[str, Any] = field(default_factory=dict)


class Unusable(Exception):
    """The input is wrong; each trouble says where and how."""

    def __init__(self, troubles: Iterable[Trouble]) -> None:
        self.troubles = list(troubles)
        super().__init__(", ".join(trouble.code for trouble in self.troubles))


@dataclass(slots=True)
class Node:
    """A value: a scalar, a list of nodes, or a mapping of nodes whose keys have places of their own.

    `size`: how many values it is, with all that it holds.
    """

    place: Place
    value: Any
    keys: dict[str, Place] = field(default_factory=dict)
    size: int = 1

    @property
    def mapping(self) -> dict[str, "Node"] | None:
        """Its nodes by key; None where it is no mapping."""
        return self.value if isinstance(self.value, dict) else None

    @property
    def items(self) -> list["Node"] | None:
        """Its nodes; None where it is no list."""
        return self.value if isinstance(self.value, list) else None

    def plain(self) -> Any:
        """As JSON has it."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def at(self, parts: Iterable[str]) -> Place:
        """Where the value at these parts of a JSON pointer stands: its key, or else the nearest thing around it."""
        here, node = self.place, self
        for part in parts:
            if node.mapping is not None and part in node.mapping:
                here, node = node.keys[part], node.mapping[part]
            elif node.items is not None and part.isdigit() and int(part) < len(node.items):
                node = node.items[int(part)]
                here = node.place
            else:
                break
        return here


def read(text: str, file: str) -> list[Node]:
    """The documents of a file; empty ones are left out.

    Raises:
        Unusable: it is no YAML, or holds what is refused.
    """
    try:
        return list(_Reading(file, iter(yaml.parse(text, Loader=yaml.SafeLoader))).documents())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        why = ", ".join(part for part in (error.context, error.problem) if part)
        raise Unusable([Trouble(place, "no_yaml", {"why": why})]) from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise Unusable([Trouble(place, "control_character", {"character": f"U+{error.character:04X}"})]) from error


def decoded(content: bytes, file: str) -> str:
    """The text of a file.

    Raises:
        Unusable: too large, or not UTF-8.
    """
    if len(content) > MOST_BYTES:
        raise Unusable([Trouble(Place(file, 1, 1), "too_large", {"bytes": f"{MOST_BYTES:,}"})])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        place = Place(file, before.count(b"\n") + 1, len(before) - before.rfind(b"\n"))
        raise Unusable([Trouble(place, "not_utf8")]) from error


def scalar(text: str) -> Any:
    """What an unquoted text means.

    Raises:
        ValueError: nobody can be sure; the message is the code of the reason.
    """
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _LEADING_ZERO.fullmatch(text):
        raise ValueError("leading_zero")
    if _OTHER_NUMBER.fullmatch(text):
        raise ValueError("odd_number")
    if _INTEGER.fullmatch(text) or _FLOAT.fullmatch(text):
        if len(text) > _LONGEST_NUMBER:
            raise ValueError("odd_number")
        if _INTEGER.fullmatch(text):
            return int(text)
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise ValueError("odd_number")
        return number
    return text


class _Reading:
    """One file while it is read."""

    def __init__(self, file: str, events: Iterator[Any]) -> None:
        self._file = file
        self._events = events
        self._anchors: dict[str, Node] = {}
        self._size = 0

    def documents(self) -> Iterator[Node]:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if event.version not in (None, (1, 2)):
                    raise self._refused(event, "other_version")
                self._anchors = {}
                found = self._node(next(self._events), 0)
                if found.value is not None:
                    yield found

    def _node(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            known = self._anchors.get(event.anchor)
            if known is None:
                raise self._refused(event, "no_such_anchor", name=event.anchor)
            self._count(event, known.size)
            return known
        if event.tag is not None:
            raise self._refused(event, "tag", tag=event.tag)
        if depth > DEEPEST:
            raise self._refused(event, "too_deep", depth=DEEPEST)
        self._count(event, 1)
        if isinstance(event, yaml.ScalarEvent):
            found = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            found = self._list(event, depth)
        else:
            found = self._mapping(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = found
        return found

    def _scalar(self, event: Any) -> Node:
        if _UNSENDABLE.search(event.value):
            raise self._refused(event, "unsendable")
        if not event.implicit[0]:
            return Node(self._place(event), event.value)
        try:
            return Node(self._place(event), scalar(event.value))
        except ValueError as error:
            raise self._refused(event, str(error), text=event.value[:40]) from error

    def _list(self, start: Any, depth: int) -> Node:
        nodes: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            nodes.append(self._node(event, depth + 1))
        return Node(self._place(start), nodes, size=1 + sum(node.size for node in nodes))

    def _mapping(self, start: Any, depth: int) -> Node:
        nodes: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event)
            if key in nodes:
                raise self._refused(event, "key_twice", key=key[:100], line=keys[key].line)
            keys[key] = self._place(event)
            nodes[key] = self._node(next(self._events), depth + 1)
        return Node(self._place(start), nodes, keys, 1 + sum(node.size for node in nodes.values()))

    def _key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._refused(event, "no_key")
        key = self._node(event, 0).value
        if key == "<<" and event.implicit[0]:
            raise self._refused(event, "merge_key")
        if not isinstance(key, str):
            raise self._refused(event, "no_key")
        return key

    def _count(self, event: Any, size: int) -> None:
        self._size += size
        if self._size > MOST_VALUES:
            raise self._refused(event, "too_many_values", count=f"{MOST_VALUES:,}")

    def _place(self, event: Any) -> Place:
        return Place(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _refused(self, event: Any, code: str, **values: Any) -> Unusable:
        return Unusable([Trouble(self._place(event), code, values)])
