"""The sla service on a real event store without a bus: its reactor is handed events, its timers are fired by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from opsledger_events import Envelope, Event
from opsledger_events.contexts.incident import HistoryImportCompleted, IncidentOpened
from opsledger_runtime import ids
from opsledger_runtime.auth import LOCAL_AUDIENCE, LOCAL_ISSUER, LocalIssuer, TokenVerifier
from opsledger_runtime.clock import FixedClock
from opsledger_runtime.http import Doors, build_app
from opsledger_runtime.migrations import MigrationSet, migrate
from opsledger_runtime.projections import digest
from opsledger_runtime.store import EventStore
from opsledger_runtime.timers import Due
from sla.app import SERVICE
from sla.casebook import clock_id
from sla.reactors import handle
from sla.seed import seed_store

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
BASE = "/api/sla/v1"


def at(hours: float) -> datetime:
    """So many hours after the start of a story."""
    return START + timedelta(hours=hours)


LATER = at(1000)
"""When nothing of a story is under way any more."""


class _Relay:
    """Numbers nothing."""

    accepting = True

    async def number_of(self, event_id: UUID, timeout: float) -> int | None:
        return None

    def status(self) -> dict[str, Any]:
        return {"state": "standby", "numbered": 0, "published": 0, "outbox": 0, "oldest_seconds": 0.0}


class _Running:
    """What the doors see of a running service."""

    def __init__(self, pool: Any, issuer: LocalIssuer) -> None:
        self.context = "sla"
        self.service = SERVICE
        self.pool = pool
        self.clock = FixedClock(LATER)
        self.settings = SimpleNamespace(max_backlog=100_000, data_dir=None, environment="test")
        self.store = EventStore("sla", "test", pool, self.clock, SERVICE.inline)
        self.relay = _Relay()
        self.subscribers: list[Any] = []
        self.draining = False
        self.verifier = TokenVerifier(issuer.jwks(), LOCAL_ISSUER, LOCAL_AUDIENCE)
        self.doors = Doors(self)  # type: ignore[arg-type]


@dataclass
class ServiceLevels:
    """The service, and the incidents that it hears of."""

    running: _Running
    issuer: LocalIssuer
    http: httpx.AsyncClient
    versions: dict[str, int] = field(default_factory=dict)

    def headers(self, role: str = "lead", **given: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.issuer.token(role, **given)}"}

    def envelope(self, incident: str, event: Event, hours: float, version: int | None = None) -> Envelope:
        """An incident's event; the same incident, version and type give the same id."""
        number = version or self.versions.get(incident, 0) + 1
        self.versions[incident] = max(number, self.versions.get(incident, 0))
        return Envelope(
            id=ids.derived_id("told", incident, str(number), event.type_name),
            type=f"opsledger.{event.type_name}",
            source="/opsledger/test/incident",
            subject=incident,
            time=at(hours),
            recordedtime=at(hours),
            aggregateversion=number,
            partitionkey=incident,
            correlationid=f"story-{incident}",
            actor="person-9",
            data=event.model_dump(mode="json", exclude_none=True),
            organisation="acme",
        )

    async def hand_over(self, *envelopes: Envelope) -> None:
        """One batch of the subscription; where no test set the clock, when the last of it became known."""
        now = self.running.clock.instant
        if now == LATER:
            self.running.clock.instant = envelopes[-1].recordedtime
        async with self.running.store.transaction() as tx:
            await handle(tx, envelopes)
        self.running.clock.instant = now

    async def tell(self, incident: str, event: Event, hours: float) -> Envelope:
        found = self.envelope(incident, event, hours)
        await self.hand_over(found)
        return found

    async def open(self, incident: str = "incident-1", hours: float = 0, **given: Any) -> str:
        about: dict[str, Any] = {"number": "INC0000001", "title": "核心交换机端口告警", "impact": 1, "urgency": 1}
        about |= {"priority": 1, "organisation": "acme", "service": "core", "team": "desk", **given}
        await self.tell(incident, IncidentOpened(**about), hours)
        return incident

    async def imported(self, incident: str, event: Event, hours: float, import_id: str = "import-1") -> None:
        """One event of an import, whose end is not told with it."""
        await self.hand_over(replace(self.envelope(incident, event, hours), importid=import_id))

    def completion(self, hours: float, import_id: str = "import-1") -> Envelope:
        """The end of an import."""
        counts = dict.fromkeys(("rows", "incidents", "events", "skipped", "irregular", "damaged"), 1)
        told = HistoryImportCompleted(system="servicenow", **counts)
        return replace(self.envelope(f"import-{import_id}", told, hours), importid=import_id)

    async def fire_until(self, hours: float, *, provisional: bool = False, batch: int = 1) -> None:
        """Fire what is due by then, as the timer worker does: in due order, in the transaction that deletes it."""
        now, self.running.clock.instant = self.running.clock.instant, at(hours)
        while True:
            async with self.running.store.transaction() as tx:
                rows = await tx.connection.fetch(
                    "delete from es.timer where (queue, key) in (select queue, key from es.timer where due <= $1"
                    " order by due, key limit $2) returning key, due",
                    at(hours),
                    batch,
                )
                if not rows:
                    break
                timers = [Due(row["key"], row["due"], provisional) for row in rows]
                await SERVICE.timers[0].fire(tx, sorted(timers, key=lambda due: (due.due, due.key)))
        self.running.clock.instant = now

    async def history(self, incident: str, metric: str = "resolution") -> list[Envelope]:
        return await self.running.store.history(clock_id(incident, metric))

    async def names(self, incident: str, metric: str = "resolution") -> list[str]:
        return [
            f"{one.name}@{(one.time - START) / timedelta(hours=1):g}" for one in await self.history(incident, metric)
        ]

    async def row(self, incident: str, metric: str = "resolution") -> Any:
        return await self.running.pool.fetchrow("select * from clock where id = $1", clock_id(incident, metric))

    async def timers(self, incident: str, metric: str = "resolution") -> dict[str, datetime]:
        clock = clock_id(incident, metric)
        rows = await self.running.pool.fetch("select key, due from es.timer where key like $1 || '/%'", clock)
        return {row["key"].removeprefix(f"{clock}/"): row["due"] for row in rows}

    async def digests(self, schema: str = "sla") -> dict[str, str]:
        async with self.running.pool.acquire() as connection:
            found = [*SERVICE.inline, *SERVICE.subscriptions[0].projections]
            return {one.name: await digest(connection, one, schema) for one in found if one.tables}

    async def rebuild(self) -> dict[str, str]:
        """Fill copies of the inline tables from all events, one by one; their digests."""
        bodies = await self.running.pool.fetch("select body from es.event order by recordedtime, aggregate, version")
        async with self.running.pool.acquire() as connection:
            await connection.execute("drop schema if exists copy cascade; create schema copy")
            for projection in SERVICE.inline:
                for table in projection.tables:
                    await connection.execute(f"create table copy.{table.name} (like sla.{table.name} including all)")
            for projection in SERVICE.subscriptions[0].projections:
                for table in projection.tables:
                    await connection.execute(f"create table copy.{table.name} as table sla.{table.name}")
            await connection.execute("set search_path = copy, es")
            for body in bodies:
                envelope = Envelope.from_json(body["body"])
                for projection in SERVICE.inline:
                    if projection.tables and envelope.type_name in projection.reads:
                        await projection.apply(connection, [envelope])
            await connection.execute("set search_path = sla, es")
        return await self.digests("copy")

    async def get(self, path: str, *, status: int = 200, **given: Any) -> Any:
        answer = await self.http.get(BASE + path, **given)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def put(self, path: str, body: Any, *, status: int = 201, **given: Any) -> Any:
        answer = await self.http.put(BASE + path, json=body, **given)
        assert answer.status_code == status, answer.text
        return answer.json()


@asynccontextmanager
async def service_levels(database: str, folder: Path) -> AsyncIterator[ServiceLevels]:
    """Migrate an empty database, seed it, open the doors."""
    await migrate(database, [MigrationSet("opsledger_runtime", ("es",)), MigrationSet("sla", ("sla",))], None)
    issuer = LocalIssuer.load_or_create(folder / "issuer.json")
    settings = {"search_path": "sla, es", "timezone": "UTC"}
    async with asyncpg.create_pool(database, min_size=1, max_size=8, server_settings=settings) as pool:
        running = _Running(pool, issuer)
        await seed_store(running.store)
        transport = httpx.ASGITransport(build_app([running]), raise_app_exceptions=True)  # type: ignore[list-item]
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            levels = ServiceLevels(running, issuer, http)
            http.headers.update(levels.headers())
            yield levels
