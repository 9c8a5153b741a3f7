"""What every command needs that fills the store of a running installation: its target, its pace and its progress.

Owns no facts. Each writes through the incident service's event store, beside the service that runs there.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from opsledger.telling import Teller
from opsledger.writers import Target, told
from opsledger_runtime.clock import monotonic
from opsledger_runtime.embedded.problems import CannotStart
from opsledger_runtime.embedded.reach import database_url
from opsledger_runtime.settings import Settings

_WAITING: Final = 50_000
"""So many events may wait for the relay: the running service refuses commands of people from 200,000 on."""

_LOOK_SECONDS: Final = 0.2
_STANDSTILL_SECONDS: Final = 5.0
_LINE_SECONDS: Final = 5.0


def target_of(data_dir: Path, environ: Mapping[str, str], context: str = "incident") -> Target:
    """The database that `opsledger run <context>` would use, else the one that runs in the data folder.

    Raises:
        CannotStart: nothing runs in the folder.
        SettingsError: a variable holds something else than it may.
    """
    if any(environ.get(f"OPSLEDGER_{name}DATABASE_URL") for name in (f"{context.upper()}_", "")):
        # Writing needs neither the bus nor anybody's token; what is set of them is not looked at.
        unused = {"NATS_URL": "unused", "JWKS_FILE": "unused", "TOKEN_ISSUER": "unused"}
        own = {f"OPSLEDGER_{context.upper()}_{name}": value for name, value in unused.items()}
        settings = Settings.read(context, {**environ, **own})
        return Target(settings.database_url, settings.installation, settings.clock_file)
    return Target(database_url(data_dir, context), clock_file=data_dir / "clock.json", data_dir=data_dir)


@asynccontextmanager
async def pausing(target: Target, say: Callable[[str], None]) -> AsyncIterator["Pause"]:
    """What to wait for between batches.

    Raises:
        CannotStart: the database's URL is none.
        OSError, asyncpg.PostgresError, asyncpg.InterfaceError: it cannot be reached.
    """
    try:
        connection = await asyncpg.connect(target.database_url, server_settings={"search_path": "es"})
    except ValueError as error:
        raise CannotStart(f"The database's URL cannot be used: {told(error)}.") from error
    try:
        yield Pause(connection, say)
    finally:
        await connection.close(timeout=1)


class Pause:
    """Holds the writing up while too much waits for the relay, so that commands of people are still taken.

    Where nobody empties the outbox no service runs, and nobody has to be waited for.
    """

    def __init__(self, connection: Any, say: Callable[[str], None]) -> None:
        self._connection = connection
        self._say = say
        self._looked = float("-inf")
        self._needless = False

    async def __call__(self) -> None:
        """Wait until there is room."""
        if self._needless or monotonic() - self._looked < _LOOK_SECONDS:
            return
        oldest, since = 0, monotonic()
        while (first := await self._too_much()) is not None:
            if first != oldest:
                oldest, since = first, monotonic()
            elif monotonic() - since > _STANDSTILL_SECONDS:
                self._needless = True
                self._say("Nobody takes the events up: the incident service does not run. It will when it starts.")
                break
            await asyncio.sleep(_LOOK_SECONDS)
        self._looked = monotonic()

    async def _too_much(self) -> int | None:
        """The first position that waits where too many do, else None."""
        row = await self._connection.fetchrow(
            "select count(*) as waiting, min(position) as first"
            " from (select position from outbox order by position limit $1) as oldest",
            _WAITING,
        )
        first: int | None = row["first"]
        return first if row["waiting"] >= _WAITING else None


class Shown:
    """How far it is: a bar on a terminal, else a line now and then."""

    def __init__(self, tell: Teller, count: int) -> None:
        self._tell = tell
        self._count = count
        self._began = self._said = monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> "Shown":
        if self._tell.console.is_terminal:
            columns = (TextColumn("Incidents"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
            self._bar = Progress(*columns, TimeRemainingColumn(), console=self._tell.console, transient=True)
            self._task = self._bar.add_task("", total=self._count)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Nothing moves any more."""
        if self._bar is not None:
            self._bar.stop()

    def at(self, done: int, events: int) -> None:
        """So many incidents are dealt with, and so many events are written."""
        now = monotonic()
        rate = f"{events / max(now - self._began, 0.001):,.0f} events/s"
        if self._bar is not None:
            self._bar.update(self._task, completed=done, description=rate)
        elif now - self._said >= _LINE_SECONDS:
            self._said = now
            self._tell.line(f"{done:,} of {self._count:,} incidents, {rate}")


def refused(error: Exception, written: int) -> str:
    """Why nothing can be written any more, as a sentence. `written`: incidents that were."""
    match error:
        case asyncpg.UndefinedTableError() | asyncpg.InvalidSchemaNameError():
            why = "The database has no tables of the incident service yet. Start that service once, then try again."
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            why = f"The database does not let us in: {told(error)}. Name user and password in its URL."
        case _:
            why = f"The database of the incident service cannot be reached or refuses: {told(error)}."
    if written:
        why += f" {written:,} incidents were written before; the same command writes the rest."
    return why
