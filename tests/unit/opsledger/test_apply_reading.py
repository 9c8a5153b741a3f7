"""YAML as `opsledger apply` reads it: what it means, and that each thing refused is named with its line and column."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsledger.applying_words import say, worded
from opsledger.applying_yaml import MOST_BYTES, Unusable, decoded, read


def value(text: str) -> Any:
    (document,) = read(text, "f.yaml")
    return document.plain()


def refusal(text: str) -> tuple[str, int, int]:
    with pytest.raises(Unusable) as caught:
        read(text, "f.yaml")
    (trouble,) = caught.value.troubles
    assert trouble.place is not None
    for language in ("en", "zh_CN.UTF-8"):
        assert worded(trouble, language).startswith(f"f.yaml:{trouble.place.line}:{trouble.place.column}: ")
    return trouble.code, trouble.place.line, trouble.place.column


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("09:00", "09:00"), ("9:00", "9:00"), ("24:00", "24:00"), ("16:30:00", "16:30:00")),
        *(("2026-10-01", "2026-10-01"), ("2026-10-01T09:00:00Z", "2026-10-01T09:00:00Z")),
        *(("on", "on"), ("no", "no"), ("NO", "NO"), ("yes", "yes"), ("y", "y"), ("Off", "Off")),
        *(("true", True), ("FALSE", False), ("null", None), ("~", None), ("", None)),
        *(("15", 15), ("-3", -3), ("+1", 1), ("0", 0), ("1.5", 1.5), ("1e3", 1000.0), (".5", 0.5)),
        *(("1_000", "1_000"), ("0b1", "0b1"), ("15m", "15m"), ("=", "="), ("中文", "中文")),
        *(('"0800"', "0800"), ("'true'", "true"), ('"\\u4e2d"', "中"), ("|\n  a\n  b\n", "a\nb\n")),
    ],
)
def test_values_mean_what_yaml_1_2_says(written: str, meant: Any) -> None:
    found = value(f"key: {written}\n")["key"]
    assert (found, type(found)) == (meant, type(meant))


def test_hours_without_quotes_stay_text_in_flow_style() -> None:
    assert value("{opens: 09:00, closes: 18:00}") == {"opens": "09:00", "closes": "18:00"}


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("a: 1\nb: 0800\n", "leading_zero", 2, 4),
        ("a: -01", "leading_zero", 1, 4),
        ("a: 0x1F", "odd_number", 1, 4),
        ("a: .inf", "odd_number", 1, 4),
        ("a: 1e999", "odd_number", 1, 4),
        ("a: " + "9" * 40, "odd_number", 1, 4),
        ("a: 1\nb: 2\n a: 3\n", "no_yaml", 3, 3),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "key_twice", 4, 3),
        ("{a: 1, 'a': 2}", "key_twice", 1, 8),
        ("a:\n\tb: 1", "no_yaml", 2, 1),
        ("a: [1, 2", "no_yaml", 1, 9),
        ('a: "x', "no_yaml", 1, 6),
        ("a: @x", "no_yaml", 1, 4),
        ("1: a", "no_key", 1, 1),
        ("? [a]\n: b", "no_key", 1, 3),
        ("a: !!python/object/apply:os.system ['true']", "tag", 1, 4),
        ("a: !!int '3'", "tag", 1, 4),
        ("%YAML 1.1\n---\na: 1", "other_version", 1, 1),
        ("base: &b {x: 1}\na:\n  <<: *b\n", "merge_key", 3, 3),
        ("a: *b", "no_such_anchor", 1, 4),
        ("a: &a [*a]", "no_such_anchor", 1, 8),
        ("a: &a 1\n---\nb: *a\n", "no_such_anchor", 3, 4),
        ('a: "\\0"', "unsendable", 1, 4),
        ('a: "\\ud83d\\ude00"', "unsendable", 1, 4),
        ("a: 1\nb: \x07", "control_character", 2, 4),
        ("[" * 100_000, "too_deep", 1, 22),
        ("\n".join(" " * n + "a:" for n in range(100)), "too_deep", 22, 22),
        ("a: [" + "1," * 110_000 + "]", "too_many_values", 1, 199_999),
    ],
)
def test_what_may_mean_something_else_or_harm_is_refused_with_its_place(
    text: str, code: str, line: int, column: int
) -> None:
    assert refusal(text) == (code, line, column)


def test_aliases_are_followed_and_a_bomb_of_them_is_not() -> None:
    assert value("a: &t [{p: 1}]\nb: *t\n") == {"a": [{"p": 1}], "b": [{"p": 1}]}
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert refusal("\n".join(lines))[0] == "too_many_values"


def test_files_are_utf_8_and_of_bounded_size() -> None:
    assert decoded(b"\xef\xbb\xbfa: 1", "f") == "a: 1"
    for content, code, line, column in (
        ("a: 1\nb: 中".encode("gb18030"), "not_utf8", 2, 4),
        ("a: 1".encode("utf-16"), "not_utf8", 1, 1),
        (b"#" * (MOST_BYTES + 1), "too_large", 1, 1),
    ):
        with pytest.raises(Unusable) as caught:
            decoded(content, "f")
        (trouble,) = caught.value.troubles
        assert trouble.place is not None
        assert (trouble.code, trouble.place.line, trouble.place.column) == (code, line, column)


def test_documents_that_say_nothing_are_left_out() -> None:
    assert [one.plain() for one in read("---\n---\n# only this\n---\na: 1\n...\n---\n~\n", "f")] == [{"a": 1}]
    assert read("", "f") == []


def test_a_pointer_leads_to_the_key_or_to_what_is_around_it() -> None:
    (document,) = read("targets:\n  - {priority: 1,\n     response: 15m}\n", "f")
    assert str(document.at(["targets", "0", "response"])) == "f:3:6"
    assert str(document.at(["targets", "0", "nothing"])) == "f:2:5"
    assert str(document.at(["targets", "9"])) == "f:1:1"
    assert str(document.at(["elsewhere"])) == "f:1:1"


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    try:
        read(text, "f")
    except Unusable as error:
        for trouble in error.troubles:
            assert say(trouble.code, "zh", trouble.values)
