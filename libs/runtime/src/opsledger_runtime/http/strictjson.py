"""Request bodies that mean one thing: UTF-8, no duplicate keys, numbers that JSON carries exactly, storable text.

Refuses what RFC 8785 or Postgres would refuse later, where the caller can still be told what and where.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any, Final

from opsledger_runtime.errors import FieldError, pointer
from opsledger_runtime.http.problems import Problem

MAX_DEPTH: Final = 64
MAX_INTEGER: Final = 2**53 - 1
"""Largest whole number, as RFC 7493 (I-JSON) has it."""

_ESCAPED: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_LONE: Final = re.compile("[\ud800-\udfff]")
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


def check(body: bytes) -> Any:
    """What the body says; one that is not strict JSON is refused.

    Raises:
        Problem: 400 where it cannot be read, 422 where a value cannot be kept; `errors` point at it.
    """
    value = _parse(body)
    if _ESCAPED.search(body) is not None:
        for path, text in _texts(value, []):
            found = _UNSTORABLE.search(text)
            if found is not None:
                code = "nul_character" if found[0] == "\0" else "lone_surrogate"
                raise Problem(code, errors=[FieldError(_shown(path), code)])
    return value


def mended(body: bytes) -> tuple[Any, bytes]:
    """What the body says, and as bytes, with NUL and lone surrogates replaced by U+FFFD.

    For senders that do not repeat what was refused.

    Raises:
        Problem: 400 where it cannot be read.
    """
    value = _parse(body)
    if _ESCAPED.search(body) is None:
        return value, body
    value = _map_texts(value, lambda text: _UNSTORABLE.sub("\ufffd", text))
    return value, json.dumps(value, ensure_ascii=False).encode()


def _parse(body: bytes) -> Any:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Problem("not_utf8", at=error.start) from error
    try:
        value = _DECODE(text)
        # Only a body with that many brackets can be that deep.
        if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
            _measure(value)
    except json.JSONDecodeError as error:
        raise Problem("malformed_json", line=error.lineno, column=error.colno) from error
    except RecursionError as error:
        raise Problem("too_deep", depth=MAX_DEPTH) from error
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Problem("duplicate_key", key=twice[:100])
    return found


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise Problem("number_out_of_range", number=text[:40])
    return int(text)


def _number(text: str) -> float:
    if len(text) > 100 or not math.isfinite(float(text)):
        raise Problem("number_out_of_range", number=text[:40])
    return float(text)


def _constant(text: str) -> float:
    raise Problem("number_out_of_range", number=text)


_DECODE: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_constant
).decode


def _measure(value: Any) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH + 1):
        inner = [child for found in level for child in (found.values() if type(found) is dict else found)]
        if not inner:
            return
        level = [child for child in inner if type(child) is dict or type(child) is list]
    raise RecursionError


def _texts(value: Any, path: list[str | int]) -> list[tuple[list[str | int], str]]:
    """Every text with where it is; depth is bounded by `_measure`."""
    match value:
        case str():
            return [(path, value)]
        case dict():
            keys = [([*path, key], key) for key in value]
            return keys + [found for key, child in value.items() for found in _texts(child, [*path, key])]
        case list():
            return [found for index, child in enumerate(value) for found in _texts(child, [*path, index])]
        case _:
            return []


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    match value:
        case str():
            return change(value)
        case dict():
            return {change(key): _map_texts(child, change) for key, child in value.items()}
        case list():
            return [_map_texts(child, change) for child in value]
        case _:
            return value


def _shown(path: list[str | int]) -> str:
    return _LONE.sub("\ufffd", pointer(path)).replace("\0", "\ufffd")
