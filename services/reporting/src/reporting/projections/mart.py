"""The star schema as one subscribed projection: dimensions and facts that join one another are rebuilt together.

Owns `dim_team` and the facts; refuses events outside `batch.READS` by ignoring them. Surrogate keys come from
`reporting.team_key`, named with its schema because a rebuild must find the same keys there.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from opsledger_events import Envelope
from opsledger_runtime.projections import Projection, Table
from opsledger_runtime.store import Transaction
from opsledger_runtime.subscriptions import Subscription
from reporting.domain.batch import READS, Rows, fold, needed, read
from reporting.domain.rows import ClockRow, IncidentRow, NotificationRow, TeamRow
from reporting.projections.columns import RowTable
from reporting.projections.progress import RECORD, marks

INCIDENTS: Final = RowTable(IncidentRow, "fact_incident", "incident_row")
CLOCKS: Final = RowTable(ClockRow, "fact_sla_clock", "clock_row")
NOTIFICATIONS: Final = RowTable(NotificationRow, "fact_notification", "notification_row")

# A team that is named gets a key and a row; a copy that is being filled begins without its unknown member.
_TEAMS: Final = """
told as materialized (select team, no from unnest($1::text[]) with ordinality as told (team, no)),
added as (
  insert into reporting.team_key (team)
  select team from told where not exists (select from reporting.team_key as known where known.team = told.team)
  on conflict (team) do update set team = excluded.team
  returning team, team_key
),
keyed as materialized (
  select told.team, told.no, coalesce(known.team_key, added.team_key) as team_key
  from told left join reporting.team_key as known using (team) left join added using (team)
),
team_keys as materialized (select array_agg(team_key order by no) as keys from keyed),
teams as (
  insert into dim_team (team, team_key, name)
  select team, team_key, team from keyed union all select '', -1, 'Unknown (未知)'
  on conflict (team) do nothing
)
"""
_FORMED: Final = "select team, name, member_count, formed_at, changed_at from dim_team where team = any($1::text[])"
_FORM: Final = """
update dim_team set
  name = told.name, member_count = told.member_count, formed_at = told.formed_at, changed_at = told.changed_at
from unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[], $5::timestamptz[])
  as told (team, name, member_count, formed_at, changed_at)
where dim_team.team = told.team
"""


async def apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    """Fold the events into the tables, in the caller's transaction.

    Raises:
        UnknownMajor, pydantic.ValidationError: an event that this release cannot read.
    """
    await _apply(connection, envelopes, [])


async def handle(transaction: Transaction, envelopes: Sequence[Envelope]) -> None:
    """One batch of the subscription: the mart, and how fresh it is."""
    await _apply(transaction.connection, envelopes, marks(envelopes))


async def _apply(connection: Any, envelopes: Sequence[Envelope], progress: Sequence[Sequence[Any]]) -> None:
    batch = read(envelopes)
    keys = needed(batch)
    rows = Rows(
        incidents=await INCIDENTS.load(connection, keys.incidents),
        clocks=await CLOCKS.load(connection, keys.clocks),
        notifications=await NOTIFICATIONS.load(connection, keys.notifications),
    )
    if keys.teams:
        for found in await connection.fetch(_FORMED, list(keys.teams)):
            rows.teams[found["team"]] = TeamRow(*found)
    fold(rows, batch)
    await _save(connection, rows, progress)
    if formed := [row for row in rows.teams.values() if row.changed_at is not None]:
        told = [(row.team, row.name, row.member_count, row.formed_at, row.changed_at) for row in formed]
        await connection.execute(_FORM, *zip(*told, strict=True))


async def _save(connection: Any, rows: Rows, progress: Sequence[Sequence[Any]]) -> None:
    """Write each row once, all in one statement: a small batch costs by its statements, not by its rows."""
    numbers: dict[str | None, int | None] = {team: number for number, team in enumerate(rows.teams, 1)}
    numbers[None] = None
    stubs = [rows.incidents[key] for key in rows.stubs]
    changed = (
        [row for key, row in rows.incidents.items() if key not in rows.stubs]
        if stubs
        else list(rows.incidents.values())
    )
    parts = (
        (INCIDENTS.writing, INCIDENTS.values(changed, numbers)),
        (INCIDENTS.adding, INCIDENTS.values(stubs, numbers)),
        (CLOCKS.writing, CLOCKS.values(rows.clocks.values(), numbers)),
        (NOTIFICATIONS.writing, NOTIFICATIONS.values(rows.notifications.values(), numbers)),
    )
    facts = [(write, values) for write, values in parts if values]
    if facts or rows.teams or progress:
        statement = _writing(tuple(write for write, _ in facts), bool(progress))
        await connection.execute(statement, list(rows.teams), *(values for _, values in facts), *progress)


@cache
def _writing(writes: Any, progress: bool) -> str:
    parts = [_TEAMS] + [f"write_{at} as ({write(at)})" for at, write in enumerate(writes, 2)]
    if progress:
        parts.append(f"progress as ({RECORD.format(*range(len(writes) + 2, len(writes) + 6))})")
    return f"with {', '.join(parts)} select"


MART: Final = Projection(
    name="mart",
    version=1,
    reads=READS,
    tables=(
        Table("dim_team", ("team",), volatile=("team_key",)),
        Table("fact_incident", ("incident_id",), volatile=("team_key",)),
        Table("fact_sla_clock", ("clock_id",), volatile=("team_key",)),
        Table("fact_notification", ("delivery_id",), volatile=("team_key",)),
    ),
    apply=apply,
)

SUBSCRIPTION: Final = Subscription(
    name="mart",
    version=1,
    contexts=("incident", "sla", "notify"),
    reads=READS,
    handle=handle,
    projections=(MART,),
)
