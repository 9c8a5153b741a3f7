"""CSV records of a file that nobody has checked: each by itself, so that a broken one spoils no other.

Owns the cutting into records. A quoted field may hold line breaks; where a quote is never closed, or what it encloses
makes no sense, the first line alone is damaged and reading goes on with the next. Memory is bounded by `LONGEST`.
"""

import csv
import io
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO, Final

from incident.importing.history import Damaged

LONGEST: Final = 1 << 20
"""Bytes of a record: no update of an incident is longer, and events are limited to a quarter of it."""

_TOO_LONG: Final = f"is longer than {LONGEST >> 20} MiB"


def records(source: BinaryIO) -> Iterator[tuple[int, list[str]] | Damaged]:
    """Line number, counted from 1, and cells of each record; empty lines are passed over.

    The first record says how many cells the others have.
    """
    lines = _Lines(source)
    width: int | None = None
    while (first := lines.next()) is not None:
        number, raw = first
        if raw is None:
            yield Damaged(number, _TOO_LONG)
            continue
        if not raw.strip():
            continue
        more: list[tuple[int, bytes | None]] = []
        parts, taken, is_open = [raw], len(raw), raw.count(b'"') % 2 == 1
        while is_open and taken <= LONGEST and (line := lines.next()) is not None:
            more.append(line)
            if line[1] is None:
                break
            parts.append(line[1])
            taken += len(line[1])
            is_open ^= line[1].count(b'"') % 2 == 1
        found = _cells(b"".join(parts), width)
        if isinstance(found, str):
            if more:  # the quote was a stray one; the lines after it are records of their own
                lines.give_back(more)
                found = f"holds a quote that does not end well ({found})"
            yield Damaged(number, found)
            continue
        width = len(found) if width is None else width
        yield number, found


def _cells(raw: bytes, width: int | None) -> list[str] | str:
    """The cells, or why there are none."""
    if len(raw) > LONGEST:
        return _TOO_LONG
    if b"\0" in raw:
        return "holds a NUL"
    try:
        text = raw.decode("utf-8-sig" if width is None else "utf-8")
    except UnicodeDecodeError:
        return "is not text in UTF-8"
    if text.count('"') % 2:
        return "the quote is not closed"
    try:
        found = list(csv.reader(io.StringIO(text, newline=""), strict=True)) if '"' in text else [_plain(text)]
    except csv.Error as error:
        return str(error)
    if len(found) != 1:
        return f"{len(found)} records in one"
    if width is not None and len(found[0]) != width:
        return f"has {len(found[0])} cells instead of {width}"
    return found[0]


def _plain(text: str) -> list[str]:
    return text.rstrip("\r\n").split(",")


class _Lines:
    """Physical lines with their numbers, some of which may be handed back; None for a line that is too long."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._number = 0
        self._again: deque[tuple[int, bytes | None]] = deque()

    def next(self) -> tuple[int, bytes | None] | None:
        if self._again:
            return self._again.popleft()
        raw = self._source.readline(LONGEST + 2)
        if not raw:
            return None
        self._number += 1
        if len(raw) <= LONGEST or raw.endswith(b"\n"):
            return self._number, raw
        while raw and not raw.endswith(b"\n"):
            raw = self._source.readline(LONGEST)
        return self._number, None

    def give_back(self, lines: list[tuple[int, bytes | None]]) -> None:
        self._again.extendleft(reversed(lines))
