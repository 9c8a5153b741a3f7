"""The star schema as one subscribed projection: dimensions and facts that join one another are rebuilt together.

Owns the dimensions that events fill and the facts; refuses events outside `batch.READS` by ignoring them.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

from opsledger_events import Envelope
from opsledger_runtime.projections import Projection, Table
from opsledger_runtime.store import Transaction
from opsledger_runtime.subscriptions import Subscription
from reporting.domain.batch import READS, Rows, fold, needed, read
from reporting.domain.rows import (
    AlertRow,
    ClockRow,
    EventRow,
    IncidentRow,
    NotificationRow,
    StretchRow,
    TeamRow,
)
from reporting.projections import items
from reporting.projections.columns import ORGANISATION, SERVICE, TEAM, Naming, RowTable
from reporting.projections.naming import DIMENSIONS, NAMING, numbered
from reporting.projections.progress import RECORD, marks

_SUBJECT: Final = (TEAM, ORGANISATION, SERVICE)
_REQUESTER: Final = Naming("requester", "person")
_ASSIGNEE: Final = Naming("assignee", "person")
_ACTOR: Final = Naming("actor", "person")
_PARTY: Final = Naming("party", "team")

INCIDENTS: Final = RowTable(IncidentRow, "fact_incident", "incident_row_3", names=(*_SUBJECT, _REQUESTER, _ASSIGNEE))
CLOCKS: Final = RowTable(ClockRow, "fact_sla_clock", "clock_row_3", names=(*_SUBJECT, _PARTY))
NOTIFICATIONS: Final = RowTable(NotificationRow, "fact_notification", "notification_row")
EVENTS: Final = RowTable(EventRow, "fact_incident_event", "event_row", key=2, names=(_ACTOR, *_SUBJECT))
STRETCHES: Final = RowTable(
    StretchRow, "fact_incident_stretch", "stretch_row", key=2, names=_SUBJECT, lasting=("ended_at",)
)
ALERTS: Final = RowTable(AlertRow, "fact_alert", "alert_row", key=2, names=_SUBJECT)

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
    if keys.items or keys.classes:
        rows.items = await items.load(connection, keys.items, keys.classes)
    fold(rows, batch)
    await _save(connection, rows, progress)
    if formed := [row for row in rows.teams.values() if row.changed_at is not None]:
        told = [(row.team, row.name, row.member_count, row.formed_at, row.changed_at) for row in formed]
        await connection.execute(_FORM, *zip(*told, strict=True))
    if rows.items.versions or rows.items.classes:
        await items.follow_services(connection, rows.items)


async def _save(connection: Any, rows: Rows, progress: Sequence[Sequence[Any]]) -> None:
    """Write each row once, all in one statement: a small batch costs by its statements, not by its rows."""
    named: dict[str, Iterable[str | None]] = {
        "team": rows.teams,
        "organisation": rows.organisations,
        "service": rows.services,
        "person": rows.persons,
    }
    told, numbers = [], {}
    for dimension in DIMENSIONS:
        names, numbers[dimension] = numbered(named[dimension])
        told.append(names)
    stubs = [rows.incidents[key] for key in rows.stubs]
    changed = (
        [row for key, row in rows.incidents.items() if key not in rows.stubs]
        if stubs
        else list(rows.incidents.values())
    )
    details = rows.details
    parts = (
        (INCIDENTS.writing, INCIDENTS.values(changed, numbers)),
        (INCIDENTS.adding, INCIDENTS.values(stubs, numbers)),
        (CLOCKS.writing, CLOCKS.values(rows.clocks.values(), numbers)),
        (NOTIFICATIONS.writing, NOTIFICATIONS.values(rows.notifications.values(), numbers)),
        (EVENTS.adding, EVENTS.values(details.events, numbers)),
        (STRETCHES.writing, STRETCHES.values(details.stretches.values(), numbers)),
        (ALERTS.writing, ALERTS.values(details.alerts.values(), numbers)),
        (items.ITEMS.writing, items.ITEMS.values(rows.items.versions.values(), numbers)),
    )
    facts = [(write, values) for write, values in parts if values]
    if facts or progress or any(told):
        statement = _writing(tuple(write for write, _ in facts), bool(progress))
        await connection.execute(statement, *told, *(values for _, values in facts), *progress)


@cache
def _writing(writes: Any, progress: bool) -> str:
    first = len(DIMENSIONS) + 1
    parts = [NAMING, items.UNKNOWN] + [f"write_{at} as ({write(at)})" for at, write in enumerate(writes, first)]
    if progress:
        after = first + len(writes)
        parts.append(f"progress as ({RECORD.format(*range(after, after + 4))})")
    return f"with {', '.join(parts)} select"


_KEYS: Final = tuple(f"{name}_key" for name in ("team", "organisation", "service"))

MART: Final = Projection(
    name="mart",
    version=3,
    reads=READS,
    tables=(
        Table("dim_team", ("team",), volatile=("team_key",)),
        Table("dim_organisation", ("organisation",), volatile=("organisation_key",)),
        Table("dim_service", ("service",), volatile=("service_key",)),
        Table("dim_person", ("person",), volatile=("person_key",)),
        Table("dim_item_class", ("item_class",)),
        Table(
            "dim_configuration_item",
            ("item_id", "version"),
            volatile=(
                "configuration_item_key",
                "organisation_key",
                "owner_team_key",
                "administrator_key",
                "database_administrator_key",
            ),
        ),
        Table("fact_incident", ("incident_id",), volatile=(*_KEYS, "requester_key", "assignee_key")),
        Table("fact_sla_clock", ("clock_id",), volatile=(*_KEYS, "party_key")),
        Table("fact_notification", ("delivery_id",), volatile=("team_key",)),
        Table("fact_incident_event", ("incident_id", "version"), volatile=(*_KEYS, "actor_key")),
        Table("fact_incident_stretch", ("incident_id", "stretch_no"), volatile=_KEYS),
        Table("fact_alert", ("incident_id", "episode_no"), volatile=_KEYS),
    ),
    apply=apply,
)

SUBSCRIPTION: Final = Subscription(
    name="mart",
    version=3,
    contexts=("incident", "sla", "notify", "cmdb"),
    reads=READS,
    handle=handle,
    projections=(MART,),
)
