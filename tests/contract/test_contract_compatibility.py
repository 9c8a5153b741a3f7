"""The checker of compatibility, and the generator that obeys it."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from opsledger_events.catalogue.__main__ import main
from opsledger_events.catalogue.compatibility import breaking_changes

OLD: dict[str, Any] = {
    "$id": "urn:opsledger:schema:incident.Example.v1",
    "x-partition-key": "subject",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "number": {"type": "string"},
        "priority": {"type": "integer"},
        "at": {"type": "string", "format": "date-time"},
        "channel": {"enum": ["phone", "email"], "type": "string"},
        "fixed": {"const": "email", "type": "string"},
        "open": {"enum": ["a"], "type": "string", "x-extensible-enum": True},
        "title": {"type": "string", "x-personal": True, "maxLength": 200},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "members": {"type": "array", "items": {"type": "string"}},
        "standing": {"$ref": "#/$defs/Standing"},
        "values": {"type": "object", "additionalProperties": True},
    },
    "required": ["number", "priority"],
    "$defs": {
        "Standing": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"state": {"type": "string"}},
            "required": ["state"],
        }
    },
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """OLD with one thing set (or removed, with `...`) at a path of keys."""
    found = copy.deepcopy(OLD)
    *way, last = path.split("/")
    part: Any = found
    for key in way:
        part = part[key]
    if value is ...:
        del part[last]
    else:
        part[last] = value
    return found


COMPATIBLE = [
    ("properties/team", {"type": "string"}),
    ("properties/team", {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}),
    ("properties/number/description", "for people"),
    ("title", "Example"),
    ("$defs/Standing/properties/since", {"type": "string", "format": "date-time"}),
    ("properties/open/enum", ["a", "b"]),
    ("properties/number/x-personal", True),
    ("properties/channel/enum", ["email", "phone"]),
]

BREAKING = [
    ("$id", "urn:opsledger:schema:incident.Other.v1", "$id"),
    ("x-partition-key", "number", "x-partition-key"),
    ("properties/number", ..., "data.number is gone"),
    ("properties/note", ..., "data.note is gone"),
    ("required", ["number", "priority", "title"], "data.title became required"),
    ("required", ["number"], "data.priority is no longer required"),
    ("properties/priority/type", "string", "data.priority may no longer be integer"),
    ("properties/priority/type", "number", "data.priority may now be number"),
    ("properties/note", {"type": "string", "default": None}, "data.note may no longer be null"),
    ("properties/number", {"anyOf": [{"type": "string"}, {"type": "null"}]}, "data.number may now be null"),
    ("properties/at/format", ..., "data.at may no longer be string (date-time)"),
    ("properties/number/format", "uuid", "data.number may now be string (uuid)"),
    ("properties/channel/enum", ["phone"], "data.channel may no longer be 'email'"),
    ("properties/channel/enum", ["phone", "email", "chat"], "data.channel may now be 'chat'"),
    ("properties/channel", {"type": "string"}, "data.channel is no longer limited"),
    ("properties/number/enum", ["INC1"], "data.number is now limited"),
    ("properties/fixed/const", "sms", "data.fixed may no longer be 'email'"),
    ("properties/fixed", {"enum": ["email", "sms"], "type": "string"}, "data.fixed may now be 'sms'"),
    ("properties/open/enum", [], "data.open may no longer be 'a'"),
    ("properties/title/maxLength", 100, "data.title has another maxLength"),
    ("properties/title/maxLength", ..., "data.title has another maxLength"),
    ("properties/number/pattern", "^INC", "data.number has another pattern"),
    ("properties/title/x-personal", ..., "data.title is no longer marked personal"),
    ("properties/note/default", "", "data.note has another default"),
    ("properties/members/items", {"type": "integer"}, "data.members[] may no longer be string"),
    ("properties/members/items", ..., "data.members has other items"),
    ("properties/values/additionalProperties", {"type": "string"}, "data.values has other additionalProperties"),
    ("additionalProperties", True, "data has other additionalProperties"),
    ("$defs/Standing/properties/state", {"type": "integer"}, "data.standing.state may no longer be string"),
    ("$defs/Standing/properties/state", ..., "data.standing.state is gone"),
    ("$defs/Standing/required", [], "data.standing.state is no longer required"),
    ("$defs/Standing/additionalProperties", True, "data.standing has other additionalProperties"),
]


def test_nothing_changed_breaks_nothing() -> None:
    assert breaking_changes(OLD, copy.deepcopy(OLD)) == []


@pytest.mark.parametrize(("path", "value"), COMPATIBLE)
def test_optional_fields_and_texts_may_be_added(path: str, value: Any) -> None:
    assert breaking_changes(OLD, changed(path, value)) == []


@pytest.mark.parametrize(("path", "value", "says"), BREAKING)
def test_everything_else_is_named(path: str, value: Any, says: str) -> None:
    found = breaking_changes(OLD, changed(path, value))
    assert any(says in sentence for sentence in found), found


def test_new_required_field_is_named() -> None:
    new = changed("properties/team", {"type": "string"})
    new["required"] = [*OLD["required"], "team"]
    assert breaking_changes(OLD, new) == ["data.team is new and required"]


def test_definition_that_moves_in_place_is_the_same() -> None:
    assert breaking_changes(OLD, changed("properties/standing", OLD["$defs"]["Standing"])) == []


def run(folder: Path, *arguments: str) -> int:
    return main([*arguments, "--schemas", str(folder / "schemas"), "--docs", str(folder / "docs")])


def test_generator_writes_the_same_bytes_again_and_finds_drift(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--check") == 1
    assert run(tmp_path) == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert run(tmp_path, "--check") == 0
    assert run(tmp_path) == 0
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    spoilt = tmp_path / "schemas" / "incident" / "IncidentOpened.v1.example.json"
    spoilt.write_text("{}")
    capsys.readouterr()
    assert run(tmp_path, "--check") == 1
    assert "IncidentOpened.v1.example.json" in capsys.readouterr().err


def test_generator_refuses_to_break_a_contract_that_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 0
    path = tmp_path / "schemas" / "incident" / "IncidentOpened.v1.schema.json"
    stands = json.loads(path.read_text(encoding="utf-8"))
    stands["properties"]["floor"] = {"type": "integer"}
    path.write_text(json.dumps(stands))
    capsys.readouterr()
    assert run(tmp_path) == 1
    assert "IncidentOpened.v1: data.floor is gone" in capsys.readouterr().err
    assert "floor" in path.read_text(encoding="utf-8")
    assert run(tmp_path, "--replace") == 0
    assert "floor" not in path.read_text(encoding="utf-8")
