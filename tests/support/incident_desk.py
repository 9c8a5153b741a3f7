"""The incident service behind its own doors on a real event store: no bus, a clock that stands still until told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from tests.support.servers import new_database

from incident import api
from incident.app import SERVICE
from incident.settings import IncidentSettings
from opsledger_events import Envelope
from opsledger_runtime import ids
from opsledger_runtime.auth import LOCAL_AUDIENCE, LOCAL_ISSUER, LocalIssuer, TokenVerifier
from opsledger_runtime.clock import FixedClock
from opsledger_runtime.http import Doors, build_app
from opsledger_runtime.migrations import MigrationSet, migrate
from opsledger_runtime.service import Service
from opsledger_runtime.store import EventStore

START = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
BASE = "/api/incident/v1"


class _Relay:
    """Numbers nothing."""

    accepting = True

    async def number_of(self, event_id: UUID, timeout: float) -> int | None:
        return None

    def status(self) -> dict[str, Any]:
        return {"state": "standby", "numbered": 0, "published": 0, "outbox": 0, "oldest_seconds": 0.0}


class _Running:
    """What the doors see of a running service."""

    def __init__(self, pool: Any, issuer: LocalIssuer, settings: IncidentSettings) -> None:
        self.context = "incident"
        self.service = Service(
            context="incident",
            title=SERVICE.title,
            routes=lambda running: api.router(running.doors, settings),
            permissions=SERVICE.permissions,
            inline=SERVICE.inline,
            messages=SERVICE.messages,
        )
        self.pool = pool
        self.clock = FixedClock(START)
        self.settings = SimpleNamespace(max_backlog=100_000, data_dir=None, environment="test")
        self.store = EventStore("incident", "test", pool, self.clock, SERVICE.inline)
        self.relay = _Relay()
        self.subscribers: list[Any] = []
        self.draining = False
        self.verifier = TokenVerifier(issuer.jwks(), LOCAL_ISSUER, LOCAL_AUDIENCE)
        self.doors = Doors(self)  # type: ignore[arg-type]


@dataclass
class Desk:
    """The running service, and a client that speaks as an agent unless told otherwise."""

    running: _Running
    issuer: LocalIssuer
    http: httpx.AsyncClient

    @property
    def pool(self) -> Any:
        return self.running.pool

    def headers(self, role: str = "agent", **given: Any) -> dict[str, str]:
        found = {"Authorization": f"Bearer {self.issuer.token(role, **given)}"}
        if role == "integration":
            found["Idempotency-Key"] = str(ids.new_id())
        return found

    def pass_time(self, **given: float) -> datetime:
        self.running.clock.instant += timedelta(**given)
        return self.running.clock.instant

    async def post(self, path: str, body: Any = None, *, status: int = 200, **given: Any) -> Any:
        """POST and expect a status; the answer's JSON."""
        answer = await self.http.post(BASE + path, json=body, **given)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def get(self, path: str, *, status: int = 200, **given: Any) -> Any:
        answer = await self.http.get(BASE + path, **given)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def open(self, title: str = "核心交换机端口告警", **given: Any) -> str:
        body = {"title": title, "impact": 2, "urgency": 2, **given}
        return str((await self.post("/incidents", body, status=201))["id"])

    async def resolved(self, **given: Any) -> str:
        """An incident that was assigned, started and resolved."""
        incident = await self.open(**given)
        await self.post(f"/incidents/{incident}/assign", {"team": "network"})
        await self.post(f"/incidents/{incident}/start")
        await self.post(f"/incidents/{incident}/resolve", {"responsibility": "provider", "resolution": "更换光模块"})
        return incident

    async def events(self, incident: str) -> list[Envelope]:
        return await self.running.store.history(incident)

    async def webhook(
        self, *alerts: Any, status: int = 202, headers: dict[str, str] | None = None, **given: Any
    ) -> Any:
        """Deliver alerts as Alertmanager does."""
        body = {
            "version": "4",
            "groupKey": "{}:{}",
            "status": "firing",
            "receiver": "r",
            "alerts": list(alerts),
            **given,
        }
        found = headers or {"Authorization": f"Bearer {self.issuer.token('integration', subject='alertmanager')}"}
        return await self.post("/alerts/alertmanager", body, status=status, headers=found)


def alert(fingerprint: str = "d1a7c3e9b5e6a0f3", status: str = "firing", **given: Any) -> dict[str, Any]:
    """One alert of a webhook; `labels` and `annotations` are added to the usual ones."""
    labels = {"alertname": "PortDown", "instance": "sw-core-01", "severity": "critical", **given.pop("labels", {})}
    annotations = {"summary": "核心交换机 sw-core-01 端口中断", **given.pop("annotations", {})}
    ended = "2026-11-22T08:29:00Z" if status == "resolved" else "0001-01-01T00:00:00Z"
    return {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": "2026-11-22T08:20:00.123456789Z",
        "endsAt": ended,
        "generatorURL": "http://prometheus/graph?g0.expr=up",
        "fingerprint": fingerprint,
        **given,
    }


@asynccontextmanager
async def incident_database(postgres_url: str) -> AsyncIterator[str]:
    """A migrated database of its own, for many tests one after the other: migrating takes longer than most of them."""
    async with new_database(postgres_url) as url:
        await migrate(url, [MigrationSet("opsledger_runtime", ("es",)), MigrationSet("incident", ("incident",))], None)
        yield url


async def _empty(pool: Any) -> None:
    """Back to the first day."""
    tables = await pool.fetch(
        "select format('%I.%I', schemaname, tablename) as name from pg_tables"
        " where schemaname in ('es', 'incident') and tablename <> 'schema_migration'"
    )
    await pool.execute("drop schema if exists scratch cascade")
    await pool.execute(f"truncate {', '.join(row['name'] for row in tables)} restart identity")
    await pool.execute("alter sequence incident.incident_number restart")


@asynccontextmanager
async def incident_desk(
    database: str, folder: Path, settings: IncidentSettings | None = None, pool_size: int = 12
) -> AsyncIterator[Desk]:
    """Empty the database that `incident_database` made and open the doors."""
    issuer = LocalIssuer.load_or_create(folder / "issuer.json")
    search_path = {"search_path": "incident, es"}
    async with asyncpg.create_pool(database, min_size=1, max_size=pool_size, server_settings=search_path) as pool:
        await _empty(pool)
        running = _Running(pool, issuer, settings or IncidentSettings())
        transport = httpx.ASGITransport(build_app([running]), raise_app_exceptions=True)  # type: ignore[list-item]
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            desk = Desk(running, issuer, http)
            http.headers.update(desk.headers())
            yield desk
    await asyncio.sleep(0)
