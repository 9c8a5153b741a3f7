"""The notify service on a real database without a bus: events are handed to it, mails go to a real sink."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import httpx

from notify.app import SERVICE
from notify.dispatch.dispatcher import Dispatcher
from notify.seeds import plant
from notify.senders.smtp import SmtpSender
from notify.settings import NotifySettings, SmtpServer
from opsledger_events import Envelope, Event
from opsledger_events.contexts.incident import IncidentAssigned, IncidentOpened, IncidentResolved
from opsledger_events.contexts.sla import SLABreached, SLAWarningReached
from opsledger_runtime import ids
from opsledger_runtime.auth import LOCAL_AUDIENCE, LOCAL_ISSUER, LocalIssuer, TokenVerifier
from opsledger_runtime.clock import FixedClock
from opsledger_runtime.http import Doors, build_app
from opsledger_runtime.migrations import MigrationSet, migrate
from opsledger_runtime.store import EventStore

START = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
BASE = "/api/notify/v1"
QUICK = NotifySettings(
    retry_seconds=(0.0, 0.02, 0.02, 0.02),
    poll_seconds=0.02,
    smtp_timeout=2.0,
    claim_seconds=5.0,
    sender="d@ops.example",
)
INCIDENT = "0192f0c4-7d1a-7c3e-9b5e-6a0f3d2c1b4a"
SUBJECT: dict[str, Any] = {
    "incident": INCIDENT,
    "number": "INC0000042",
    "title": "核心交换机 12 口反复中断",
    "priority": 1,
    "organisation": "acme",
    "team": "network",
    "assignee": "li-wei",
    "requester": "wang-fang",
    "metric": "resolution",
}
DUE = START + timedelta(hours=1)


def opened(**changes: Any) -> IncidentOpened:
    given = {"number": "INC0000042", "title": SUBJECT["title"], "impact": 1, "urgency": 1, "priority": 1}
    return IncidentOpened(**{**given, "requester": "wang-fang", "organisation": "acme", **changes})


def assigned(team: str = "network", assignee: str | None = "li-wei") -> IncidentAssigned:
    return IncidentAssigned(team=team, assignee=assignee)


def resolved(resolution: str = "更换光模块") -> IncidentResolved:
    return IncidentResolved(responsibility="provider", resolution=resolution)


def warned(**changes: Any) -> SLAWarningReached:
    return SLAWarningReached(**{**SUBJECT, "percent": 75, "due_at": DUE, **changes})


def breached(**changes: Any) -> SLABreached:
    return SLABreached(**{**SUBJECT, "due_at": DUE, **changes})


@dataclass
class Foreign:
    """Other contexts' events as they arrive: numbered per context, versioned per aggregate."""

    numbers: dict[str, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    def event(self, event: Event, subject: str = INCIDENT, **changes: Any) -> Envelope:
        context = event.event_context()
        number = self.numbers[context] = self.numbers.get(context, 0) + 1
        version = self.versions[context + subject] = self.versions.get(context + subject, 0) + 1
        given: dict[str, Any] = {
            "id": ids.derived_id("test", context, str(number)),
            "type": f"opsledger.{event.type_name}",
            "source": f"/opsledger/test/{context}",
            "subject": subject,
            "time": START + timedelta(minutes=number),
            "recordedtime": START + timedelta(minutes=number),
            "aggregateversion": version,
            "partitionkey": subject,
            "correlationid": "story",
            "actor": "person-1",
            "data": event.model_dump(mode="json", exclude_none=True),
            "organisation": "acme",
            "sequence": number,
        }
        return Envelope(**{**given, **changes})


class FakeRunning:
    """What the doors and the worker see of a running service."""

    def __init__(self, pool: Any, issuer: LocalIssuer) -> None:
        self.service = SERVICE
        self.context = "notify"
        self.pool = pool
        self.clock = FixedClock(START)
        self.settings = SimpleNamespace(max_backlog=1000, data_dir=None, environment="test")
        self.store = EventStore("notify", "test", pool, self.clock, SERVICE.inline)
        self.relay = SimpleNamespace(
            number_of=_no_number,
            status=lambda: {"state": "leading", "numbered": 0, "published": 0, "outbox": 0, "oldest_seconds": 0},
        )
        self.nats = SimpleNamespace(is_connected=True)
        self.watermarks = SimpleNamespace(of=lambda context: None)
        self.subscribers: list[Any] = []
        self.draining = False
        self.verifier = TokenVerifier(issuer.jwks(), LOCAL_ISSUER, LOCAL_AUDIENCE)
        self.doors = Doors(self)  # type: ignore[arg-type]


async def _no_number(event_id: Any, timeout: float) -> int | None:
    return None


@dataclass
class Notify:
    """The service, a client of it, and other contexts' events."""

    running: FakeRunning
    issuer: LocalIssuer
    http: httpx.AsyncClient
    database: str
    foreign: Foreign = field(default_factory=Foreign)

    @property
    def pool(self) -> Any:
        return self.running.pool

    def headers(self, role: str = "operator", **given: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.issuer.token(role, **given)}"}

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return await self.http.request(method, BASE + path, json=body, headers=headers)

    async def get(self, path: str) -> Any:
        answer = await self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def introduce(self) -> None:
        """An engineer and a requester, and the network team."""
        people = {
            "li-wei": {"name": "李伟", "email": "li.wei@example.com", "language": "zh-CN"},
            "ann-lee": {"name": "Ann Lee", "email": "ann.lee@example.com", "language": "en"},
            "wang-fang": {"name": "王芳", "email": "wang.fang@example.com", "language": "zh-CN"},
        }
        for person, body in people.items():
            answer = await self.ask("PUT", f"/contacts/{person}", body)
            assert answer.status_code == 201, answer.text
        answer = await self.ask("PUT", "/teams/network", {"name": "网络组", "members": ["li-wei", "ann-lee"]})
        assert answer.status_code == 201, answer.text

    async def receive(self, *envelopes: Envelope) -> None:
        """One batch of the subscription."""

        async def work(transaction: Any) -> None:
            await SERVICE.subscriptions[0].handle(transaction, envelopes)

        await self.running.store.run(work)

    async def tell(self, *events: Event) -> list[Envelope]:
        """Other contexts' events, one after the other."""
        envelopes = [self.foreign.event(event) for event in events]
        for envelope in envelopes:
            await self.receive(envelope)
        return envelopes

    async def events(self, kind: str) -> list[Envelope]:
        """Own events of a kind, such as `NotificationDelivered`, in the order of recording."""
        rows = await self.pool.fetch(
            "select e.body from es.event e join es.outbox o on o.event = e.id where e.type = $1 order by o.position",
            f"notify.{kind}.v1",
        )
        return [Envelope.from_json(row["body"]) for row in rows]

    def dispatcher(self, port: int, **changes: Any) -> Dispatcher:
        settings = NotifySettings(**{**QUICK.model_dump(), **changes})
        server = SmtpServer("127.0.0.1", port, False, "never")
        sender = SmtpSender(server, settings.from_address, settings.smtp_timeout)
        return Dispatcher(self.running.store, sender, settings)


@asynccontextmanager
async def notify_service(database: str, folder: Path, contexts: Sequence[str] = ("notify",)) -> AsyncIterator[Notify]:
    """Migrate an empty database, plant the seeds and open the doors. The client speaks as an operator."""
    sets = [MigrationSet("opsledger_runtime", ("es",)), MigrationSet("notify", tuple(contexts))]
    await migrate(database, sets, None)
    issuer = LocalIssuer.load_or_create(folder / "issuer.json")
    path = {"search_path": "notify, es", "timezone": "UTC"}
    async with asyncpg.create_pool(database, min_size=1, max_size=12, server_settings=path) as pool:
        running = FakeRunning(pool, issuer)
        await plant(running.store)
        app = build_app([running])  # type: ignore[list-item]
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            found = Notify(running, issuer, http, database)
            http.headers.update(found.headers())
            yield found


DESK = Address(display_name="Service Desk", addr_spec="desk@ops.example")
