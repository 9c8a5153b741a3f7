"""The star schema as one subscribed projection: dimensions and facts that join one another are rebuilt together.

Owns `dim_team` and the facts; refuses events outside `batch.READS` by ignoring them. Surrogate keys come from
`reporting.team_key`, named with its schema because a rebuild must find the same keys there.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from opsledger_events import Envelope
from opsledger_runtime.projections import Projection, Table
from opsledger_runtime.store import Transaction
from opsledger_runtime.subscriptions import Subscription
from reporting.domain.batch import READS, Rows, fold, read, touched
from reporting.domain.rows import UNKNOWN, ClockRow, IncidentRow, NotificationRow, TeamRow
from reporting.projections.columns import RowTable
from reporting.projections.progress import record_progress

TEAMS: Final = RowTable(TeamRow, "dim_team")
INCIDENTS: Final = RowTable(IncidentRow, "fact_incident")
CLOCKS: Final = RowTable(ClockRow, "fact_sla_clock")
NOTIFICATIONS: Final = RowTable(NotificationRow, "fact_notification")

_UNKNOWN_TEAM: Final = TeamRow("", name="Unknown (未知)")


async def apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    """Fold the events into the tables, in the caller's transaction.

    Raises:
        UnknownMajor, pydantic.ValidationError: an event that this release cannot read.
    """
    batch = read(envelopes)
    if not batch:
        return
    keys = touched(batch)
    rows = Rows(
        teams=await TEAMS.load(connection, keys.teams),
        incidents=await INCIDENTS.load(connection, keys.incidents),
        clocks=await CLOCKS.load(connection, keys.clocks),
        notifications=await NOTIFICATIONS.load(connection, keys.notifications),
    )
    fold(rows, batch)
    await _give_keys(connection, rows)
    rows.teams[""] = _UNKNOWN_TEAM  # a copy that is being filled begins without its unknown member
    await TEAMS.save(connection, rows.teams)
    await INCIDENTS.save(connection, rows.incidents)
    await CLOCKS.save(connection, rows.clocks)
    await NOTIFICATIONS.save(connection, rows.notifications)


async def _give_keys(connection: Any, rows: Rows) -> None:
    facts: list[IncidentRow | ClockRow | NotificationRow] = [
        *rows.incidents.values(),
        *rows.clocks.values(),
        *rows.notifications.values(),
    ]
    keys = await _team_keys(connection, rows.teams.keys() | {row.team for row in facts if row.team is not None})
    for team in rows.teams.values():
        team.team_key = keys[team.team]
    for row in facts:
        row.team_key = UNKNOWN if row.team is None else keys[row.team]


async def _team_keys(connection: Any, teams: Iterable[str]) -> dict[str, int]:
    wanted = sorted(teams)
    known = await _known_keys(connection, wanted)
    if missing := [team for team in wanted if team not in known]:
        await connection.execute(
            "insert into reporting.team_key (team) select unnest($1::text[]) on conflict do nothing", missing
        )
        known |= await _known_keys(connection, missing)
    return known


async def _known_keys(connection: Any, teams: list[str]) -> dict[str, int]:
    found = await connection.fetch("select team, team_key from reporting.team_key where team = any($1::text[])", teams)
    return {row["team"]: row["team_key"] for row in found}


async def handle(transaction: Transaction, envelopes: Sequence[Envelope]) -> None:
    """One batch of the subscription: the mart, then how fresh it is."""
    await apply(transaction.connection, envelopes)
    await record_progress(transaction.connection, envelopes)


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
