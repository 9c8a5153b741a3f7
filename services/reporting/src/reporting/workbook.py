"""Figures as an Excel workbook: one sheet of rows, one that says what they mean. No cell of it can be a formula."""

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import xlsxwriter

MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_LONGEST: Final = 32_767
"""Characters that a cell of Excel holds."""


def to_workbook(
    columns: Sequence[str], rows: Sequence[Mapping[str, Any]], constants: Mapping[str, Any], made: datetime
) -> bytes:
    """The bytes of the workbook. Texts are texts whatever they begin with; whole and decimal numbers stay numbers."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        book.set_properties({"created": made.replace(tzinfo=None)})
        bold = book.add_format({"bold": True})
        figures = book.add_worksheet("Figures 数据")
        figures.freeze_panes(1, 0)
        for at, column in enumerate(columns):
            figures.write_string(0, at, column, bold)
            figures.set_column(at, at, max(12, min(40, len(column) + 4)))
        for line, row in enumerate(rows, 1):
            for at, column in enumerate(columns):
                _write(figures, line, at, row[column])
        about = book.add_worksheet("About 说明")
        about.set_column(0, 0, 20)
        about.set_column(1, 1, 120)
        for line, (name, value) in enumerate(constants.items()):
            about.write_string(line, 0, name, bold)
            _write(about, line, 1, value)
    return out.getvalue()


def _write(sheet: Any, line: int, at: int, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, int | float) and not isinstance(value, bool):
        sheet.write_number(line, at, value)
    else:
        sheet.write_string(line, at, str(value)[:_LONGEST])
