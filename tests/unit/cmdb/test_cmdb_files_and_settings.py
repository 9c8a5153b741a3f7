"""Reading CSV and discoveries whatever they hold, and the rules of matching that the settings state."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdb.domain.naming import is_key, tidy
from cmdb.intake import csv_file, discovered
from cmdb.permissions import PERMISSIONS
from cmdb.settings import DEFAULT, CmdbSettings
from opsledger_runtime.errors import Invalid
from opsledger_runtime.settings import SettingsError

HEADER = b"key,name,class,identifier:serial,attribute:port,depends_on\n"


@given(st.binary(max_size=300), st.sampled_from(["utf-8", "gb18030"]))
def test_any_bytes_are_lines_or_a_refusal(body: bytes, encoding: csv_file.Encoding) -> None:
    for given_bytes in (body, HEADER + body):
        lines, code = [], "file_unusable"
        try:
            lines = csv_file.read(given_bytes, encoding)
        except Invalid as refusal:
            code = refusal.code
        assert code == "file_unusable"
        assert [line.number for line in lines] == sorted({line.number for line in lines})
        assert all(line.refusal is not None or is_key(line.key or "") for line in lines)


@given(st.lists(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=4)))
def test_any_json_is_a_line_for_each_thing(things: list[Any]) -> None:
    lines = discovered.read(things, "source:x")
    assert [line.number for line in lines] == list(range(1, len(things) + 1))
    assert all(line.refusal is not None for line in lines)


def test_a_file_with_too_many_lines_is_refused() -> None:
    body = HEADER + b"a,b,server,,,\n" * (csv_file.MOST_LINES + 1)
    with pytest.raises(Invalid, match="Send it in parts"):
        csv_file.read(body)


def test_lines_are_numbered_as_an_editor_shows_them_and_relations_are_parted() -> None:
    lines = csv_file.read(b"\xef\xbb\xbf" + HEADER + b'a,"x\ny",server,CN-1,5,b; C ;\n\nd,z,server,,,\n')
    assert [(line.number, line.key) for line in lines] == [(2, "a"), (5, "d")]
    assert lines[0].relations == (("depends_on", "b"), ("depends_on", "C"))
    assert lines[0].identifiers == (("serial", "CN-1"),)
    assert "name" in {error.pointer[1:] for error in lines[0].refusal.errors}  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["", None, DEFAULT])
def test_matching_has_a_default(text: str | None) -> None:
    environ = {} if text is None else {"OPSLEDGER_CMDB_MATCHING": text}
    assert CmdbSettings.read(environ) == CmdbSettings()
    assert CmdbSettings().matching[0] == ("source_id",)


def test_matching_is_what_the_settings_state() -> None:
    found = CmdbSettings.read({"OPSLEDGER_CMDB_MATCHING": "serial, fqdn + class"})
    assert found.matching == (("serial",), ("fqdn", "class"))


@pytest.mark.parametrize("text", ["class", "serial,", "serial+", "Serial", "name+environment", "serial;fqdn"])
def test_a_rule_that_finds_nothing_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match="OPSLEDGER_CMDB_MATCHING"):
        CmdbSettings.read({"OPSLEDGER_CMDB_MATCHING": text})


@given(st.text(max_size=120))
def test_a_key_is_tidy_and_holds_nothing_that_parts_addresses_and_lists(text: str) -> None:
    key = tidy(text)
    if is_key(key):
        assert tidy(key) == key
        assert not set(key) & set(' \t\n/\\;?#%"<>\0')


def test_requesters_and_intakes_do_nothing_here() -> None:
    assert not {action for action, roles in PERMISSIONS.items() if roles & {"requester", "intake"}}
    assert PERMISSIONS["item.write"] == {"lead", "operator", "integration"}
