"""Alerts that could not be taken in, as they came, for somebody to look at. Owns `intake_reject`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from incident.intake.alert import Unreadable
from incident.intake.received import RETENTION, columns

SHOWN: Final = 10_000
"""So many characters of a body are shown."""

MOST_COUNTED: Final = 10_000
_DAY: Final = timedelta(days=1)
_FORGOTTEN_AT_ONCE: Final = 1000

_REJECT: Final = """
insert into intake_reject (source, received, reason, body)
select $1, $2, reason, body from unnest($3::text[], $4::bytea[]) as new (reason, body)
"""
_FORGET: Final = """
delete from intake_reject where id = any(array(
  select id from intake_reject where received < $1 order by received limit $2 for update skip locked
))
"""
_PAGE: Final = """
select id, source, received, reason, octet_length(body) as size, substring(body from 1 for $3) as body
from intake_reject where $1::bigint is null or id < $1 order by id desc limit $2
"""
_OF_THE_DAY: Final = "select count(*) from (select from intake_reject where received > $1 limit $2) as latest"


async def put(connection: Any, source: str, now: datetime, rejected: Sequence[Unreadable]) -> None:
    """Keep what came now."""
    rows = [(found.reason, found.body) for found in rejected]
    if rows:
        await connection.execute(_REJECT, source, now, *columns(rows, 2))


async def forget(connection: Any, now: datetime) -> None:
    """Drop a bounded number of those that came before `RETENTION`."""
    await connection.execute(_FORGET, now - RETENTION, _FORGOTTEN_AT_ONCE)


async def page(connection: Any, before: int | None, limit: int) -> list[Any]:
    """Up to `limit` records, latest first, after the one with the id `before`; bodies are cut at `SHOWN`."""
    found: list[Any] = await connection.fetch(_PAGE, before, limit, SHOWN)
    return found


async def of_the_day(connection: Any, now: datetime) -> int:
    """How many came within 24 hours; counting ends at `MOST_COUNTED`, so that it costs little."""
    return int(await connection.fetchval(_OF_THE_DAY, now - _DAY, MOST_COUNTED))
