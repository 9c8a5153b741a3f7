"""`opsledger generate`: plausible incident histories in a running installation, for trying it at one's own size.

Owns the command's checks. Refuses counts that no disk would hold.
"""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, cast, get_args

import asyncpg

from incident.domain.completion import CompleteImport
from incident.generating import Plan, Profile
from incident.importing.recording import complete
from incident.recording import Recorded
from opsledger.filling import Shown, pausing, refused, target_of
from opsledger.telling import Teller
from opsledger.writers import BATCH, Target, WriterFailed, opened, write, write_here
from opsledger_runtime.clock import monotonic
from opsledger_runtime.embedded.problems import CannotStart

MOST: Final = 50_000_000
_MOST_DAYS: Final = 3_650
_MOST_WRITERS: Final = 32
_FEW: Final = 4 * BATCH
"""So few incidents are written sooner than a process is started."""

_INCIDENT_BYTES: Final[Mapping[Profile, int]] = {"full": 40_000, "brief": 25_000}
"""Disk of an incident and all that follows from it: stores, stream and read models of every service, with indexes."""

_LEAST_FREE_BYTES: Final = 1_000_000_000


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
    with Shown(tell, wanted.incidents) as shown:
        try:
            async with pausing(target, tell.line) as pause, aclosing(histories(target, plan, wanted.writers)) as parts:
                async for part in parts:
                    written = written.plus(part)
                    shown.at(written.incidents + written.skipped, written.events)
                    await pause()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, WriterFailed) as error:
            raise CannotStart(refused(error, written.incidents)) from error
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


async def histories(target: Target, plan: Plan, writers: int) -> AsyncGenerator[Recorded, None]:
    """Write the plan; yields what each batch wrote. Few incidents are written without further processes.

    At the end it is said that the history is told, also by a run that only went on with an earlier one.

    Raises:
        WriterFailed, OSError, asyncpg.PostgresError, asyncpg.InterfaceError: the database refuses or is away.
    """
    written = Recorded()
    async with aclosing(write_here(target, plan) if plan.count <= _FEW else write(target, plan, writers)) as parts:
        async for part in parts:
            written = written.plus(part)
            yield part
    async with opened(target) as store:
        await complete(store, plan.import_id, CompleteImport("generated", **written._asdict()))


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
