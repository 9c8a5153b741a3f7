"""Logs of ServiceNow incidents for tests: a small invented one that is always there, and the real one where it lies.

`OPSLEDGER_TEST_DATA` names the folder of the real one; without it, `shared/data` beside the repository.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from itertools import groupby
from pathlib import Path

from incident.importing.history import Damaged, HistoryRow
from incident.importing.local_time import zone
from incident.importing.servicenow import ServiceNow
from incident.importing.story import Story, story
from opsledger.importing_history import Wanted, import_history
from opsledger.telling import Teller
from opsledger_runtime.testing.harness import Harness

NAME = "servicenow_incident_log.csv"
LISBON = zone("Europe/Lisbon")
NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)

HERE = Path(__file__).parent
INVENTED = HERE / "data" / NAME
REAL = Path(os.environ.get("OPSLEDGER_TEST_DATA") or HERE.parents[2] / "shared" / "data") / NAME


@dataclass(frozen=True)
class Facts:
    """What is known of a log without us.

    `unseen`: reassignments that its counters know of and its rows do not show. `held_for_no_minute`: incidents that
    wait and go on within one minute, which is as exact as the log is.
    """

    rows: int
    incidents: int
    begun_elsewhere: int
    reopened: int
    reopenings: int
    held: int
    reassignments: int
    unseen: int
    held_for_no_minute: int


KNOWN = {
    INVENTED: Facts(46, 10, 2, 1, 2, 3, 5, 1, 0),
    REAL: Facts(4137, 600, 130, 6, 7, 199, 622, 2, 0),
}
LOGS = [path for path in KNOWN if path.exists()]


def rows_of(log: bytes, now: datetime = NOW) -> tuple[list[HistoryRow], list[Damaged]]:
    """What the reader makes of a file."""
    found = list(ServiceNow(LISBON, now).read(BytesIO(log)))
    return (
        [row for row in found if isinstance(row, HistoryRow)],
        [row for row in found if isinstance(row, Damaged)],
    )


def stories(rows: Sequence[HistoryRow]) -> list[Story]:
    """The incidents of a log whose rows stand together."""
    return [story("servicenow", list(group)) for _, group in groupby(rows, lambda row: row.number)]


def log_of(*rows: dict[str, str], header: Sequence[str] | None = None) -> bytes:
    """A log of these rows; what they do not say is as in the invented log's first row."""
    lines = INVENTED.read_text(encoding="utf-8").splitlines()
    names = lines[0].split(",")
    usual = dict(zip(names, lines[1].split(","), strict=True))
    written = [",".join(header or names)]
    written += [",".join({**usual, **row}[name] for name in header or names) for row in rows]
    return ("\n".join(written) + "\n").encode()


async def import_into(platform: Harness, log: Path) -> None:
    """Import a log into a running platform, as the command does, and wait until everybody has followed."""
    service = next(running for running in platform.runnings if running.context == "incident")
    environ = {
        "OPSLEDGER_ENVIRONMENT": "test",
        "OPSLEDGER_INSTALLATION": "test",
        "OPSLEDGER_INCIDENT_DATABASE_URL": service.settings.database_url,
        "OPSLEDGER_CLOCK_FILE": str(platform.clock_file),
    }
    await import_history(Wanted(log, "Europe/Lisbon"), platform.directory, environ, Teller())
    service.relay.poke()  # it looks for what other processes wrote every second
    await platform.quiet()
