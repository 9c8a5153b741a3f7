"""Promises on a real event store without a bus: the subscription is handed events, timers are fired by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from tests.support.service_levels import BASE, START, ServiceLevels, at, service_levels

from opsledger_events import Envelope, Event
from opsledger_events.contexts.incident import IncidentAssigned, IncidentNoted, IncidentOpened
from opsledger_runtime import ids
from opsledger_runtime.timers import Due
from sla.promise_timers import PROMISE_QUEUE
from sla.reactors import handle


@dataclass
class Promises:
    """The sla service, and the incidents that its promises are about. Hours count from the start of a story."""

    levels: ServiceLevels

    @property
    def pool(self) -> Any:
        return self.levels.running.pool

    def told(self, event: Event, hours: float, incident: str = "incident-1", **changes: Any) -> Envelope:
        """An incident's event, as its author wrote it."""
        return replace(self.levels.envelope(incident, event, hours), **changes)

    async def hand_over(self, *envelopes: Envelope, known: float | None = None) -> None:
        """One batch of the subscription; `known`: when it is read, else when the last of it was recorded."""
        clock = self.levels.running.clock
        now, clock.instant = clock.instant, envelopes[-1].recordedtime if known is None else at(known)
        async with self.levels.running.store.transaction() as tx:
            await handle(tx, envelopes)
        clock.instant = now

    async def tell(self, event: Event, hours: float, incident: str = "incident-1", **changes: Any) -> Envelope:
        found = self.told(event, hours, incident, **changes)
        await self.hand_over(found)
        return found

    async def open(self, incident: str = "incident-1", number: str = "INC0000001", **given: Any) -> str:
        """An incident of the network team, on which person-3 works."""
        about: dict[str, Any] = {
            "number": number,
            "title": "核心交换机端口告警",
            "impact": 1,
            "urgency": 1,
            "priority": 1,
        }
        about |= {"organisation": "acme", "service": "core", "requester": "person-17", **given}
        await self.tell(IncidentOpened(**about), 0, incident)
        await self.tell(IncidentAssigned(team="network", assignee="person-3"), 0, incident)
        return incident

    async def note(self, text: str, hours: float, incident: str = "incident-1", *, public: bool = True) -> Envelope:
        return await self.tell(IncidentNoted(text=text, public=public), hours, incident)

    async def fire_until(self, hours: float, *, provisional: bool = False) -> None:
        """Fire what is due by then, one by one and in due order, in the transaction that deletes it."""
        clock = self.levels.running.clock
        now, clock.instant = clock.instant, at(hours)
        while True:
            async with self.levels.running.store.transaction() as tx:
                row = await tx.connection.fetchrow(
                    "delete from es.timer where (queue, key) in (select queue, key from es.timer"
                    " where queue = $2 and due <= $1 order by due, key limit 1) returning key, due",
                    at(hours),
                    PROMISE_QUEUE.name,
                )
                if row is None:
                    break
                await PROMISE_QUEUE.fire(tx, [Due(row["key"], row["due"], provisional)])
        clock.instant = now

    async def timers(self) -> dict[str, datetime]:
        rows = await self.pool.fetch("select key, due from es.timer where queue = $1", PROMISE_QUEUE.name)
        return {row["key"].partition("/")[2]: row["due"] for row in rows}

    async def events(self, name: str = "") -> list[Envelope]:
        """Every event of promises in the order of appending."""
        rows = await self.pool.fetch(
            "select e.body from es.event e join es.outbox o on o.event = e.id where e.type like $1 order by o.position",
            f"sla.Promise{name}%",
        )
        return [Envelope.from_json(row["body"]) for row in rows]

    async def names(self) -> list[str]:
        """`Broken@2`, by the instants that the events speak of."""
        found = []
        for one in await self.events():
            hours = (datetime.fromisoformat(one.data["at"]) - START).total_seconds() / 3600
            found.append(f"{one.name.removeprefix('Promise')}@{hours:g}")
        return found

    async def ask(
        self, method: str, path: str, body: Any = None, *, hours: float | None = None, role: str = "agent", **given: Any
    ) -> httpx.Response:
        """One request, when so many hours have passed."""
        if hours is not None:
            self.levels.running.clock.instant = at(hours)
        headers = self.levels.headers(role, **given.pop("token", {})) | given.pop("headers", {})
        if role == "integration":
            headers.setdefault("Idempotency-Key", str(ids.new_id()))
        return await self.levels.http.request(method, BASE + path, json=body, headers=headers, **given)

    async def post(self, path: str, body: Any = None, *, status: int = 200, **given: Any) -> Any:
        answer = await self.ask("POST", path, body, **given)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def get(self, path: str, *, status: int = 200, **given: Any) -> Any:
        answer = await self.ask("GET", path, **given)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def only(self, **given: Any) -> Any:
        """The one promise that there is."""
        (found,) = (await self.get("/promises", **given))["items"]
        return await self.get(f"/promises/{found['id']}", **given)


@asynccontextmanager
async def promises_service(database: str, folder: Path) -> AsyncIterator[Promises]:
    """The service on an empty database, its clock at the beginning of the story."""
    async with service_levels(database, folder) as levels:
        levels.running.clock.instant = START
        yield Promises(levels)
