"""`opsledger import items`: a CSV file of configuration items into a running installation.

Owns the command, its progress and its report. What a line means, and whether it goes in, the cmdb service knows.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import asyncpg
import typer

from opsledger.looping import run_loop
from opsledger.telling import Teller
from opsledger_runtime import ids
from opsledger_runtime.auth import Caller
from opsledger_runtime.embedded.problems import CannotStart
from opsledger_runtime.errors import DomainError
from opsledger_runtime.settings import SettingsError
from opsledger_runtime.store import Metadata

if TYPE_CHECKING:
    from cmdb.intake.importing import Finished

_ACTOR: Final = "command-line"
_MOST_BYTES: Final = 256 * 1024 * 1024
_STEP: Final = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asked for."""

    file: Path
    encoding: str
    dry_run: bool
    language: str


def items(
    file: Annotated[Path, typer.Argument(help="The CSV file; GET /api/cmdb/v1/imports/csv/template gives one.")],
    dry_run: Annotated[bool, typer.Option(help="Say what would become of each line, and change nothing.")] = False,
    encoding: Annotated[str, typer.Option(help="utf-8 or gb18030.")] = "utf-8",
    language: Annotated[str, typer.Option(envvar="LANG", help="zh for reasons in Chinese.")] = "en",
    data_dir: Annotated[Path, typer.Option(envvar="OPSLEDGER_DATA_DIR", help="Where Opsledger runs.")] = Path("data"),
) -> None:
    """Import configuration items from a CSV file into the Opsledger that runs in the data folder."""
    with Teller() as tell:
        try:
            finished = run_loop(import_items(Wanted(file, encoding, dry_run, language), data_dir, os.environ, tell))
        except (CannotStart, SettingsError, DomainError) as error:
            sys.stderr.write(f"\n{error}\n")
            raise typer.Exit(1) from None
    if finished.report.troubles:
        raise typer.Exit(1)


async def import_items(wanted: Wanted, data_dir: Path, environ: Mapping[str, str], tell: Teller) -> "Finished":
    """Take the file in, show how far it is, and say of each line that did not go in why.

    Raises:
        CannotStart: nothing runs there, or the database refuses.
        Invalid: the file cannot be used.
    """
    from cmdb.app import SERVICE
    from cmdb.intake import csv_file
    from cmdb.intake.importing import take_in
    from cmdb.intake.planning import CSV
    from cmdb.settings import CmdbSettings
    from opsledger.filling import target_of
    from opsledger.writers import opened, told

    if wanted.encoding not in ("utf-8", "gb18030"):
        raise CannotStart(f"The encoding {wanted.encoding!r} is unknown. Say utf-8 or gb18030.")
    lines = csv_file.read(_content(wanted.file), "utf-8" if wanted.encoding == "utf-8" else "gb18030")
    target = target_of(data_dir, environ, "cmdb")
    command = ids.new_id()

    def said(done: int) -> None:
        if done % _STEP == 0 or done == len(lines):
            tell.line(f"{done:,} of {len(lines):,} lines")

    caller = Caller(_ACTOR, frozenset({"operator"}), None)
    try:
        async with opened(target, SERVICE) as store:
            finished = await take_in(
                store,
                CSV,
                lines,
                rules=CmdbSettings.read(environ).matching,
                caller=caller,
                metadata=Metadata(command, _ACTOR),
                dry_run=wanted.dry_run,
                said=said,
            )
            if not wanted.dry_run:
                await store.run(finished.complete)
    except asyncpg.UndefinedTableError as error:
        raise CannotStart("The database has no tables of the cmdb service yet. Start that service once.") from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        sentence = f"The database of the cmdb service cannot be reached or refuses: {told(error)}."
        raise CannotStart(f"{sentence} Lines that went in stay in; the same file again brings in the rest.") from error
    _report(finished, wanted, tell)
    return finished


def _content(file: Path) -> bytes:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise CannotStart(f"{file} is larger than {_MOST_BYTES:,} bytes. Send it in parts.")
        return file.read_bytes()
    except OSError as error:
        raise CannotStart(f"{file} cannot be read: {error.strerror}.") from error


def _report(finished: "Finished", wanted: Wanted, tell: Teller) -> None:
    from cmdb.messages import worded

    report = finished.report
    for one in report.troubles:
        where = f"line {one.line}" + (f" ({one.key})" if one.key else "")
        tell.line(f"{where}: {one.outcome}: {worded(one.refusal, wanted.language)}")
    counted = ", ".join(f"{count:,} {outcome}" for outcome, count in report.counts.items())
    would = "Nothing was changed; it would be: " if wanted.dry_run else ""
    tell.line(f"{would}{report.received:,} lines: {counted}; {report.related:,} relations.")
