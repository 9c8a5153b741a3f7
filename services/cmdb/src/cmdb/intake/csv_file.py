"""A CSV file of items to lines. Pure. What the file is as a whole is refused at once, a line by itself with its number.

Columns are named in the first line, in any order. An empty cell says nothing: for a new item it means the default, for
a known one that it stays as it is.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, Literal

from cmdb.domain.facts import Identified, merged_identifiers
from cmdb.domain.naming import MOST_IDENTIFIERS, tidy
from cmdb.domain.relations import KINDS
from cmdb.intake.line import STATED, Line, invalid_line, refusal_of
from opsledger_runtime.errors import FieldError, Invalid

Encoding = Literal["utf-8", "gb18030"]
MOST_LINES: Final = 50_000
LONGEST_CELL: Final = 20_000
MOST_RELATIONS: Final = 500
"""Relations that one line may state."""

_COLUMNS: Final = {"key": "key", "class": "item_class"} | {name: name for name in STATED if name != "item_class"}
_REQUIRED: Final = ("key", "name", "class")

TEMPLATE: Final = "\ufeff" + "\r\n".join(
    (
        "key,name,class,environment,criticality,lifecycle,organisation,owner_team,administrator,database_administrator,"
        "identifier:serial,identifier:fqdn,attribute:version,depends_on,runs_on,part_of",
        "shop,网上商城,business_service,production,critical,operational,,service-desk,,,,,,shop-app,,",
        "shop-app,商城应用,application,production,critical,operational,,web,person-3,,,,4.2,orders-db,srv-01,",
        "orders-db,订单数据库,database,production,critical,operational,,dba,person-3,person-9,,db-01.example.com,16,,srv-01,",
        "srv-01,一号服务器,server,production,high,operational,,unix,person-3,,CN-7731,srv-01.example.com,,,,",
        "",
    )
)
"""A file to begin with, as spreadsheets open it."""


def read(body: bytes, encoding: Encoding = "utf-8") -> list[Line]:
    """The lines of a file; `Line.refusal` says what is wrong with one.

    Raises:
        Invalid: not of this encoding, no header as it should be, no CSV, or too many lines.
    """
    rows = _rows(_text(body, encoding))
    header = next(rows, None)
    columns = _columns([] if header is None else header[1])
    lines = []
    for number, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        lines.append(_line(number, cells, columns))
        if len(lines) > MOST_LINES:
            raise _unusable(f"It has more than {MOST_LINES:,} lines. Send it in parts.")
    return lines


def _text(body: bytes, encoding: Encoding) -> str:
    try:
        text = body.decode("utf-8-sig" if encoding == "utf-8" else "gb18030").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        other = "gb18030" if encoding == "utf-8" else "utf-8"
        raise _unusable(f"Byte {error.start} is not {encoding}. If it is {other}, say ?encoding={other}.") from error
    if "\0" in text:
        raise _unusable("It holds a NUL character. Save it as CSV once more.")
    return text


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    before = 0
    try:
        for cells in reader:
            yield before + 1, cells
            before = reader.line_num
    except csv.Error as error:
        raise _unusable(f"Line {reader.line_num} is no CSV: {error}.") from error


def _columns(header: list[str]) -> list[str]:
    columns = [column.strip() for column in header]
    known = {*_COLUMNS, *KINDS}
    wrong = [
        column
        for column in columns
        if column not in known and not (column.startswith(("identifier:", "attribute:")) and column.split(":", 1)[1])
    ]
    if wrong:
        raise _unusable(f"The column “{wrong[0][:100]}” is unknown. GET /imports/csv/template shows those there are.")
    if missing := [column for column in _REQUIRED if column not in columns]:
        raise _unusable(f"The column “{missing[0]}” is missing. The first line names the columns.")
    if twice := [column for at, column in enumerate(columns) if column in columns[:at]]:
        raise _unusable(f"The column “{twice[0]}” is there twice. Leave one out.")
    return columns


def _line(number: int, cells: list[str], columns: list[str]) -> Line:
    found = {column: cell.strip() for column, cell in zip(columns, cells, strict=False) if cell.strip()}
    key = tidy(found.get("key", "")) or None
    stated = {_COLUMNS[column]: value for column, value in found.items() if column in _COLUMNS and column != "key"}
    problems = []
    if len(cells) > len(columns):
        problems.append(FieldError("/", "There are more cells than columns. Put text with commas in quotation marks."))
    if key is None:
        problems.append(FieldError("/key", "Write the key."))
    problems += [
        FieldError(f"/{column}", "The text is too long.") for column, cell in found.items() if len(cell) > LONGEST_CELL
    ]
    relations = tuple(
        (kind, tidy(target)) for kind in KINDS for target in found.get(kind, "").split(";") if target.strip()
    )
    if len(relations) > MOST_RELATIONS:
        problems.append(FieldError("/depends_on", f"A line states at most {MOST_RELATIONS} relations."))
    identifiers = merged_identifiers(
        tuple(
            Identified(column.split(":", 1)[1], value)
            for column, value in found.items()
            if column.startswith("identifier:")
        )
    )
    if len(identifiers) > MOST_IDENTIFIERS:
        problems.append(FieldError("/identifiers", f"An item has at most {MOST_IDENTIFIERS} identifiers."))
    attributes = {column.split(":", 1)[1]: value for column, value in found.items() if column.startswith("attribute:")}
    line = Line(number, key, stated, attributes, identifiers, relations)
    return _refused(line, problems)


def _refused(line: Line, problems: list[FieldError]) -> Line:
    refusal = refusal_of(line)
    every = [*problems, *(refusal.errors if refusal else ())]
    return replace(line, refusal=invalid_line(every)) if every else line


def _unusable(told: str) -> Invalid:
    return Invalid(f"The file cannot be used. {told}", code="file_unusable")
