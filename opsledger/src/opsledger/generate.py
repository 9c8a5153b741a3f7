"""`opsledger generate`: plausible incident histories in a running installation, for trying it at one's own size.

Owns the command's checks, its target and its progress. Refuses counts that no disk would hold.
"""

import asyncio
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast, get_args

import asyncpg
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from incident.generating import Plan, Profile
from incident.recording import Recorded
from opsledger.telling import Teller
from opsledger.writers import BATCH, Target, WriterFailed, told, write, write_here
from opsledger_runtime.clock import monotonic
from opsledger_runtime.embedded.problems import CannotStart
from opsledger_runtime.embedded.reach import database_url
from opsledger_runtime.settings import Settings

MOST: Final = 50_000_000
_MOST_DAYS: Final = 3_650
_MOST_WRITERS: Final = 32
_FEW: Final = 4 * BATCH
"""So few incidents are written sooner than a process is started."""

_INCIDENT_BYTES: Final[Mapping[Profile, int]] = {"full": 40_000, "brief": 25_000}
"""Disk of an incident and all that follows from it: stores, stream and read models of every service, with indexes."""

_LEAST_FREE_BYTES: Final = 1_000_000_000
_WAITING: Final = 50_000
"""So many events may wait for the relay: the running service refuses commands of people from 200,000 on."""

_LOOK_SECONDS: Final = 0.2
_STANDSTILL_SECONDS: Final = 5.0
_LINE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asked for. `open_percent`: so many of the newest are left unresolved."""

    incidents: int
    days: int = 365
    seed: int = 1
    profile: str = "full"
    open_percent: float = 2.0
    writers: int = 2

    def checked(self) -> Profile:
        """The profile, everything else being in order.

        Raises:
            CannotStart: says which number is out of range.
        """
        ranges: tuple[tuple[str, float, float, float], ...] = (
            ("--incidents", self.incidents, 1, MOST),
            ("--days", self.days, 1, _MOST_DAYS),
            ("--seed", self.seed, 0, 2**63 - 1),
            ("--open", self.open_percent, 0, 100),
            ("--workers", self.writers, 1, _MOST_WRITERS),
        )
        for option, given, least, most in ranges:
            if not least <= given <= most:
                raise CannotStart(f"{option} is {given}; give a number from {least:,} to {most:,}.")
        if self.profile not in get_args(Profile):
            raise CannotStart(f"There is no profile {self.profile!r}. There are: {', '.join(get_args(Profile))}.")
        return cast(Profile, self.profile)


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


async def generate(wanted: Wanted, data_dir: Path, environ: Mapping[str, str], tell: Teller) -> None:
    """Write the histories, show how far they are, say what was written.

    Raises:
        CannotStart: says what is wrong or what refused, and what to do.
        SettingsError: a variable holds something else than it may.
    """
    profile = wanted.checked()
    target = target_of(data_dir, environ)
    if target.data_dir is not None:
        _room_on_disk(wanted.incidents * _INCIDENT_BYTES[profile], target.data_dir)
    until = target.clock().now()
    plan = Plan(
        seed=wanted.seed,
        first=0,
        count=wanted.incidents,
        start=until - timedelta(days=wanted.days),
        until=until,
        profile=profile,
        stay_open=round(wanted.incidents * wanted.open_percent / 100),
    )
    written, began = Recorded(), monotonic()
    with _Shown(tell, wanted.incidents) as shown:
        try:
            async with _pausing(target, tell.line) as pause, aclosing(histories(target, plan, wanted.writers)) as parts:
                async for part in parts:
                    written = written.plus(part)
                    shown.at(written)
                    await pause()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, WriterFailed) as error:
            raise CannotStart(_refused(error, written)) from error
        except asyncio.CancelledError:
            shown.end()
            tell.line(f"Stopped: {_sum(written, monotonic() - began)} The same command writes the rest.")
            raise
    if written.skipped:
        tell.line(
            f"{written.skipped:,} incidents of seed {wanted.seed} were there already and were skipped; another --seed "
            "gives other incidents."
        )
    if written.events:
        tell.line("The other services catch up by the bus; nobody is notified of history.")
    tell.line(_sum(written, monotonic() - began))


def histories(target: Target, plan: Plan, writers: int) -> AsyncGenerator[Recorded, None]:
    """Write the plan; yields what each batch wrote. Few incidents are written without further processes.

    Raises:
        WriterFailed, OSError, asyncpg.PostgresError, asyncpg.InterfaceError: the database refuses or is away.
    """
    return write_here(target, plan) if plan.count <= _FEW else write(target, plan, writers)


@asynccontextmanager
async def _pausing(target: Target, say: Callable[[str], None]) -> AsyncIterator["_Pause"]:
    try:
        connection = await asyncpg.connect(target.database_url, server_settings={"search_path": "es"})
    except ValueError as error:
        raise CannotStart(f"The database's URL cannot be used: {told(error)}.") from error
    try:
        yield _Pause(connection, say)
    finally:
        await connection.close(timeout=1)


class _Pause:
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


class _Shown:
    """How far it is: a bar on a terminal, else a line now and then."""

    def __init__(self, tell: Teller, count: int) -> None:
        self._tell = tell
        self._count = count
        self._began = self._said = monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> "_Shown":
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

    def at(self, written: Recorded) -> None:
        """So much is written."""
        done, now = written.incidents + written.skipped, monotonic()
        rate = f"{written.events / max(now - self._began, 0.001):,.0f} events/s"
        if self._bar is not None:
            self._bar.update(self._task, completed=done, description=rate)
        elif now - self._said >= _LINE_SECONDS:
            self._said = now
            self._tell.line(f"{done:,} of {self._count:,} incidents, {rate}")


def _sum(written: Recorded, seconds: float) -> str:
    rate = written.events / max(seconds, 0.001)
    return f"{written.incidents:,} incidents with {written.events:,} events written in {seconds:.1f} s ({rate:,.0f}/s)."


def _room_on_disk(needed: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if needed + _LEAST_FREE_BYTES > free:
        raise CannotStart(
            f"So many incidents need about {needed / 1e9:,.0f} GB of disk with everything that follows from them, and "
            f"{free / 1e9:,.0f} GB are free. Ask for fewer, or for --profile brief."
        )


def _refused(error: Exception, written: Recorded) -> str:
    match error:
        case asyncpg.UndefinedTableError() | asyncpg.InvalidSchemaNameError():
            why = "The database has no tables of the incident service yet. Start that service once, then try again."
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            why = f"The database does not let us in: {told(error)}. Name user and password in its URL."
        case _:
            why = f"The database of the incident service cannot be reached or refuses: {told(error)}."
    if written.incidents:
        why += f" {written.incidents:,} incidents were written before; the same command writes the rest."
    return why
