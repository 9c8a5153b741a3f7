"""Dated days from CSV: a header with `date,kind,opens,closes,name_zh,name_en` in any order, then a line for each day.

`kind` is closed or open. An open day without hours has those of the make-up weekday; one with a break takes two lines.
"""

import csv
import io
from typing import Final

from sla.day_files.report import Report

COLUMNS: Final = ("date", "kind", "opens", "closes", "name_zh", "name_en")
_NEEDED: Final = ("date", "kind")


def read_csv(text: str) -> Report:
    """The days of a file, and its bad lines. A byte order mark and blank lines are passed over."""
    report = Report()
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    header: list[str] | None = None
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if not any(stripped):
                continue
            if header is None:
                header = [cell.lower() for cell in stripped]
                if not _header_holds(header, report, reader.line_num):
                    return report
                continue
            report.lines += 1
            _line(dict(zip(header, stripped, strict=False)), len(stripped) - len(header), report, reader.line_num)
    except csv.Error as error:
        report.refuse(reader.line_num, "bad_csv", f"The file cannot be read from here on: {error}.")
    if header is None and not report.bad:
        report.refuse(1, "bad_header", f"The file is empty. Begin with the line {','.join(COLUMNS)}.")
    return report


def _header_holds(header: list[str], report: Report, line: int) -> bool:
    unknown = [name for name in header if name not in COLUMNS]
    missing = [name for name in _NEEDED if name not in header]
    if unknown or missing or len(set(header)) != len(header):
        wrong = f"{unknown[0][:40]!r} is no column. " if unknown else ""
        report.refuse(line, "bad_header", f"{wrong}Begin with the line {','.join(COLUMNS)}, parted by commas.")
        return False
    return True


def _line(row: dict[str, str], surplus: int, report: Report, line: int) -> None:
    if surplus > 0:
        report.refuse(line, "bad_columns", "The line has more values than the header has columns.")
        return
    if row.get("kind") not in ("closed", "open"):
        report.refuse(line, "bad_kind", f"{row.get('kind', '')[:20]!r} is no kind of day. Write closed or open.")
        return
    opens, closes = row.get("opens", ""), row.get("closes", "")
    if bool(opens) != bool(closes):
        report.refuse(line, "bad_time", "Give both opens and closes, or neither.")
        return
    names = {name: row.get(name) or None for name in ("name_zh", "name_en")}
    hours = [{"opens": opens, "closes": closes}] if opens else None
    report.take(line, {"date": row.get("date", ""), "kind": row["kind"], "hours": hours, **names})
