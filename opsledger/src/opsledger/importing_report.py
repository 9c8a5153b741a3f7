"""What an import says at its end: how much there was, and each row that is damaged or irregular.

Owns the counting and the file of `--report`. On the terminal stand the first rows of each; the file has them all.
"""

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from incident.importing.history import Damaged
from incident.importing.story import Note
from opsledger.telling import Teller
from opsledger_runtime.embedded.problems import CannotStart

SHOWN: Final = 50
"""So many damaged and so many irregular rows are shown on the terminal."""

DAMAGED: Final = "damaged"


class Report:
    """Counts, and the rows they count. Use it as a context: the file is whole when it ends."""

    def __init__(self, file: Path | None) -> None:
        self.damaged = 0
        self._irregular: set[int] = set()
        self.kinds: Counter[str] = Counter()
        self._path = file
        self._file: Any = None
        self._first: dict[bool, list[str]] = {True: [], False: []}

    def __enter__(self) -> Self:
        if self._path is not None:
            try:
                self._file = self._path.open("w", encoding="utf-8", newline="")
            except OSError as error:
                raise self._unwritten(error) from error
            self._rows = csv.writer(self._file)
            self._write("line", "number", "kind", "what")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def irregular(self) -> int:
        """How many rows are irregular; one may be so in several ways."""
        return len(self._irregular)

    def add_damaged(self, row: Damaged) -> None:
        """A row that could not be used."""
        self.damaged += 1
        self._keep(True, row.line, "", DAMAGED, row.why)

    def add_notes(self, notes: Iterable[Note]) -> None:
        """Rows that are irregular, each with what is so."""
        notes = list(notes)
        self._irregular.update(note.line for note in notes)
        for note in notes:
            self.kinds[note.kind] += 1
            self._keep(False, note.line, note.number, note.kind, note.text)

    def _keep(self, damaged: bool, line: int, number: str, kind: str, text: str) -> None:
        if self._file is not None:
            self._write(line, _cell(number), kind, _cell(text))
        if len(self._first[damaged]) < SHOWN:
            self._first[damaged].append(f"  line {line}: {number + ' ' if number else ''}{text}")

    def _write(self, *cells: str | int) -> None:
        try:
            self._rows.writerow(cells)
        except OSError as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> CannotStart:
        return CannotStart(f"The report cannot be written: {error.strerror}: {self._path}.")

    def tell(self, tell: Teller, counts: dict[str, int]) -> None:
        """The table, and the first rows of each sort."""
        for damaged, title, count in ((True, "Damaged rows", self.damaged), (False, "Irregular rows", self.irregular)):
            if not count:
                continue
            tell.line(f"{title}, which {'were left out' if damaged else 'were recorded as said'}:")
            for line in self._first[damaged]:
                tell.line(line)
            if len(self._first[damaged]) == SHOWN:
                tell.line(f"  … all of them: {self._path or 'with --report rows.csv'}")
        table = {**counts, "rows damaged": self.damaged, "rows irregular": self.irregular}
        table |= {f"  {kind}": count for kind, count in sorted(self.kinds.items())}
        for name, count in table.items():
            tell.line(f"{name:<34}{count:>12,}")


def _cell(text: str) -> str:
    """As a spreadsheet shows it and never computes it."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
