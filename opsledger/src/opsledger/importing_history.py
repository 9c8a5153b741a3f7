"""`opsledger import servicenow`: a history of incidents from a file into the incident service's store.

The file is read twice: first to know what it is, how long, and which incidents are scattered over it; then to write, a
batch of incidents in one transaction. Only scattered incidents are held in memory meanwhile.
"""

import asyncio
import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import asyncpg

from incident.domain.completion import CompleteImport
from incident.importing.history import Damaged, HistoryRow, NoHistory, Reader
from incident.importing.local_time import zone
from incident.importing.recording import Written, complete, record
from incident.importing.servicenow import ServiceNow
from incident.importing.story import Story, story
from opsledger.filling import Shown, pausing, refused, target_of
from opsledger.importing_report import Report
from opsledger.looping import run_loop
from opsledger.stopping import until_told
from opsledger.telling import Teller
from opsledger.writers import Target, opened
from opsledger_runtime.embedded.problems import CannotStart
from opsledger_runtime.settings import SettingsError
from opsledger_runtime.store import EventStore

BATCH: Final = 200
"""Incidents of one transaction."""

MOST_HELD: Final = 200_000
"""Rows of scattered incidents that are held in memory, about 2 kB each."""

_CHUNK: Final = 1 << 20
_BREATH: Final = 1_000
"""After so many rows others have their turn, so that a signal is heard."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asked for. `time_zone`: an IANA name; `report`: where every remarkable row is listed."""

    file: Path
    time_zone: str
    dry_run: bool = False
    report: Path | None = None


@dataclass(slots=True)
class _Look:
    """What a first reading found: `scattered` incidents have rows in several places."""

    import_id: str
    rows: int = 0
    incidents: int = 0
    scattered: Counter[str] = field(default_factory=Counter)


def run(wanted: Wanted, data_dir: Path, environ: Mapping[str, str]) -> int:
    """Import, and say on the terminal how it went; the exit code."""
    asked_to_stop: list[bool] = []
    with Teller() as tell:
        try:
            work = until_told(
                lambda: import_history(wanted, data_dir, environ, tell), lambda: asked_to_stop.append(True)
            )
            run_loop(work)
        except (CannotStart, SettingsError) as error:
            sys.stderr.write(f"\n{error}\n")
            return 1
    return 130 if asked_to_stop else 0


async def import_history(wanted: Wanted, data_dir: Path, environ: Mapping[str, str], tell: Teller) -> None:
    """Read, record, report.

    Raises:
        CannotStart: says what is wrong with the file or what refused, and what to do.
        SettingsError: a variable holds something else than it may.
    """
    try:
        place = zone(wanted.time_zone)
    except ValueError as error:
        raise CannotStart(str(error)) from error
    if wanted.report is not None and wanted.report.exists() and wanted.report.samefile(wanted.file):
        raise CannotStart("The report would overwrite the log itself. Name another file.")
    target = target_of(data_dir, environ)
    reader = ServiceNow(place, target.clock().now())
    try:
        with wanted.file.open("rb") as source, Report(wanted.report) as report:
            look = await _look(source, reader)
            written = await _write(_Work(source, reader, look, target, wanted.dry_run), report, tell)
            _tell(look, written, report, wanted.dry_run, tell)
    except NoHistory as error:
        raise CannotStart(f"{wanted.file}: {error}") from error
    except OSError as error:
        raise CannotStart(f"{wanted.file} cannot be read: {error.strerror or error}.") from error


async def _look(source: BinaryIO, reader: Reader) -> _Look:
    digest = hashlib.sha256()
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        await asyncio.sleep(0)
    found = _Look(f"{reader.system}-{digest.hexdigest()[:16]}")
    seen: set[str] = set()
    current: str | None = None
    source.seek(0)
    for row in reader.read(source):
        found.rows += 1
        if found.rows % _BREATH == 0:
            await asyncio.sleep(0)
        if isinstance(row, Damaged) or row.number == current:
            continue
        current = row.number
        if current in seen:
            found.scattered[current] = 0
        seen.add(current)
    found.incidents = len(seen)
    return found


@dataclass(frozen=True, slots=True)
class _Work:
    source: BinaryIO
    reader: Reader
    look: _Look
    target: Target
    dry_run: bool

    def stories(self, report: Report) -> Iterator[Story]:
        """Each incident once, as soon as its last row may have been read."""
        self.source.seek(0)
        rows: list[HistoryRow] = []
        held: dict[str, list[HistoryRow]] = {number: [] for number in self.look.scattered}
        count = 0
        for row in self._rows():
            if isinstance(row, Damaged):
                report.add_damaged(row)
            elif row.number in held:
                held[row.number].append(row)
                count += 1
                if count > MOST_HELD:
                    raise NoHistory(
                        f"The rows of {len(held):,} incidents are scattered over the file, more than fit into memory. "
                        "Sort it by number, and by sys_updated_at within a number."
                    )
            else:
                if rows and rows[0].number != row.number:
                    yield self._story(rows, report)
                    rows = []
                rows.append(row)
        for last in (rows, *held.values()):
            if last:
                yield self._story(last, report)

    def _rows(self) -> Iterator[HistoryRow | Damaged]:
        try:
            yield from self.reader.read(self.source)
        except OSError as error:  # the disk's, and no fault of the database that is written to
            raise NoHistory(f"It cannot be read to its end: {error.strerror or error}.") from error

    def _story(self, rows: Sequence[HistoryRow], report: Report) -> Story:
        found = story(self.reader.system, rows)
        report.add_notes(found.notes)
        return found


async def _write(work: _Work, report: Report, tell: Teller) -> Written:
    written = Written()
    with Shown(tell, work.look.incidents) as shown:
        try:
            async with pausing(work.target, tell.line) as pause, opened(work.target) as store:
                for batch in _batches(work.stories(report)):
                    part = await record(store, work.look.import_id, batch, dry=work.dry_run)
                    written.add(part)
                    report.add_notes(part.late)
                    shown.at(written.incidents + written.skipped, written.events)
                    await pause()
                if not work.dry_run:
                    await _complete(store, work, written, report)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise CannotStart(refused(error, written.incidents)) from error
        except asyncio.CancelledError:
            shown.end()
            tell.line(f"Stopped after {written.incidents:,} incidents. The same command writes the rest.")
            raise
    return written


async def _complete(store: EventStore, work: _Work, written: Written, report: Report) -> None:
    """Say that it is told; likewise of earlier imports that were cut off and whose incidents are all told now."""
    system, own = work.reader.system, work.look.import_id
    counts = CompleteImport(
        system=system,
        rows=work.look.rows,
        incidents=written.incidents,
        events=written.events,
        skipped=written.skipped,
        irregular=report.irregular,
        damaged=report.damaged,
    )
    if written.events or own in written.earlier:
        await complete(store, own, counts)
    for import_id, incidents in written.earlier.items():
        if import_id != own:
            await complete(store, import_id, CompleteImport(system, skipped=incidents))


def _batches(stories: Iterator[Story]) -> Iterator[list[Story]]:
    batch: list[Story] = []
    for one in stories:
        batch.append(one)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _tell(look: _Look, written: Written, report: Report, dry_run: bool, tell: Teller) -> None:
    report.tell(
        tell,
        {
            "rows": look.rows,
            "incidents": look.incidents,
            "  new or continued": written.incidents,
            "  skipped, recorded before": written.skipped,
            "events": written.events,
        },
    )
    if dry_run:
        tell.line("Nothing was written: this was a dry run.")
    elif written.events:
        tell.line("The other services catch up by the bus; nobody is notified of history.")
