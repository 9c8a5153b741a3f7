"""Figures as CSV (RFC 4180) that spreadsheets open safely: no cell of it can be a formula."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

BOM: Final = "\ufeff"
"""With it, Excel reads UTF-8 as what it is."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def cell(value: Any) -> Any:
    """A text that a spreadsheet would compute gets a leading apostrophe; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def to_csv(
    columns: Sequence[str], rows: Sequence[Mapping[str, Any]], constants: Mapping[str, Any], *, bom: bool = False
) -> str:
    """One line per row; `constants` are repeated in each, so that a line explains itself when it is alone."""
    columns = [*columns, *constants]
    out = io.StringIO()
    if bom:
        out.write(BOM)
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        values = {**row, **constants}
        writer.writerow([cell(values[column]) for column in columns])
    return out.getvalue()
