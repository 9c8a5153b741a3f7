"""Large histories in a platform of the bench, written as `opsledger generate` writes them."""

from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta

from bench.measuring import Stopwatch
from bench.platform import Platform
from incident.generating import Plan, Profile
from incident.recording import Recorded, prefix
from opsledger.generate import histories
from opsledger.writers import Target, opened

WRITERS = 2


@dataclass(frozen=True, slots=True)
class Filled:
    """What a filling added: incidents, events, and the seconds it took."""

    incidents: int
    events: int
    seconds: float


async def fill(
    platform: Platform,
    *,
    incidents: int,
    profile: Profile = "brief",
    open_last: int = 5000,
    seed: int = 1,
    days: int = 365,
    until: datetime | None = None,
) -> Filled:
    """Let there be so many generated incidents, counted from nothing; those that are there already stay.

    The first filling leaves its last `open_last` unresolved, and one that adds to it none, so that the queue of open
    work is as long at every size. The tables are made where they are missing; no service has to run. `until` is now
    in domain time if it is left out.

    Raises:
        WriterFailed, OSError, asyncpg.PostgresError: the database refuses.
    """
    await platform.migrate("incident")
    settings = platform.settings("incident")
    target = Target(settings.database_url, settings.installation, settings.clock_file)
    async with opened(target) as store:
        there = await prefix(store.pool, seed, incidents)
    if there >= incidents:
        return Filled(0, 0, 0.0)
    end = until or target.clock().now()
    plan = Plan(
        seed=seed,
        first=there,
        count=incidents - there,
        start=end - timedelta(days=days),
        until=end,
        profile=profile,
        stay_open=0 if there else min(open_last, incidents),
    )
    written = Recorded()
    with Stopwatch() as watch:
        async with aclosing(histories(target, plan, WRITERS)) as parts:
            async for part in parts:
                written = written.plus(part)
    return Filled(written.incidents, written.events, watch.seconds)
