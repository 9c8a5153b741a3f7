"""The pure parts of the doors: cursors, positions, preferences, languages, strict JSON, log lines."""

import json
import math
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsledger_runtime import problem_texts
from opsledger_runtime.errors import Invalid
from opsledger_runtime.http import positions, problems, strictjson
from opsledger_runtime.http.pages import Page, decode_cursor, encode_cursor, page_of
from opsledger_runtime.http.problems import Problem


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
        | st.integers(-(2**63) + 1, 2**63 - 1),
        max_size=6,
    )
)
def test_a_cursor_comes_back_as_it_was(values: list[Any]) -> None:
    assert decode_cursor(encode_cursor(values)) == values


@given(st.text(max_size=100))
def test_a_made_up_cursor_is_a_list_or_invalid(text: str) -> None:
    found: Any
    try:
        found = decode_cursor(text)
    except Invalid as error:
        found = [error.code]
    assert isinstance(found, list)


def test_cursors_are_checked_by_kind() -> None:
    at, some = datetime(2026, 11, 22, tzinfo=UTC), UUID(int=7)
    assert decode_cursor(encode_cursor([at, some, 3, "x"]), datetime, UUID, int, str) == [at, some, 3, "x"]
    for values, kinds in (
        (["x"], (datetime,)),
        ([3], (datetime,)),
        (["2026-11-22T00:00:00"], (datetime,)),
        (["x"], (UUID,)),
        ([3], (UUID,)),
        ([3], (str,)),
        ([], (str,)),
        (["a", "b"], (str,)),
        (["\0"], (str,)),
        ([2**63], (int,)),
        ([True], (int,)),
    ):
        with pytest.raises(Invalid):
            decode_cursor(encode_cursor(values), *kinds)


def test_the_row_too_many_makes_a_next_page() -> None:
    last: Page[int] = page_of([1, 2], 2, lambda row: [row])
    assert last.next is None
    page: Page[int] = page_of([1, 2, 3], 2, lambda row: [row])
    assert page.items == [1, 2]
    assert decode_cursor(page.next or "", int) == [2]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("wait=3", 3.0),
        ("respond-async, WAIT = 5; x=y", 5.0),
        ('wait="2"', 2.0),
        ("wait=999", 10.0),
        ("wait=0", 0.0),
        ("wait=-1", None),
        ("wait=x", None),
        ("return=minimal", None),
    ],
)
def test_a_wait_is_at_most_ten_seconds_and_garbage_is_ignored(header: str | None, seconds: float | None) -> None:
    assert positions.preferred_wait(header) == seconds


def test_positions_of_several_writes_are_taken_together() -> None:
    assert positions.parse_positions("a:1, b:pending,a:3 ,c:2") == {"a": 3, "c": 2}


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("zh-CN", "zh-CN"),
        ("zh", "zh-CN"),
        ("en;q=0.5, zh-Hans;q=0.8", "zh-CN"),
        ("en-GB, zh;q=0.9", "en"),
        ("zh;q=0", "en"),
        ("zh;q=x", "en"),
        ("*;q=0.1,,;", "en"),
        ("fr,zh;q=0.1", "zh-CN"),
    ],
)
def test_the_language_is_the_one_preferred(header: str | None, language: str) -> None:
    assert problem_texts.choose(header) == language


def test_every_code_has_texts_in_both_languages() -> None:
    assert set(problems._STATUS) <= problem_texts.codes()
    for code in problem_texts.codes():
        for language in problem_texts.LANGUAGES:
            assert all(problem_texts.text(code, language))
        assert problem_texts.text(code, "en") != problem_texts.text(code, "zh-CN")


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), inner)
        ),
        max_leaves=20,
    )
)
def test_strict_json_passes_whatever_is_storable(value: Any) -> None:
    for ascii_only in (True, False):
        body = json.dumps(value, ensure_ascii=ascii_only).encode()
        assert strictjson.check(body) == value
        mended, again = strictjson.mended(body)
        assert mended == value
        assert json.loads(again) == value


@given(
    st.recursive(
        st.floats() | st.integers() | st.text(st.characters(codec=None)),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec=None)), inner),
        max_leaves=20,
    )
)
def test_mended_json_is_strict(value: Any) -> None:
    try:
        mended, again = strictjson.mended(json.dumps(value).encode())
    except Problem as error:
        mended, again = error.code, json.dumps(error.code).encode()
    assert strictjson.check(again) == mended


def test_floats_that_are_no_numbers_are_refused() -> None:
    for text in ("NaN", "Infinity", "-Infinity", "1e400", "-1e400"):
        with pytest.raises(Problem) as refused:
            strictjson.check(text.encode())
        assert refused.value.code == "number_out_of_range"
    strictjson.check(str(math.pi).encode())
