"""Configuration items as the incident service hears of them: events of cmdb, handled as its subscription does."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import asyncpg
from tests.support.incident_desk import START, Desk

from incident.app import SERVICE
from opsledger_events import Envelope, Event
from opsledger_events.contexts.cmdb import (
    ConfigurationItemRegistered,
    ConfigurationItemsRelated,
    ConfigurationItemsUnrelated,
)
from opsledger_runtime import ids
from opsledger_runtime.projections import digest
from opsledger_runtime.rebuild import rebuilt_digest

[SUBSCRIPTION] = SERVICE.subscriptions


def item_id(key: str) -> str:
    return f"ci-{key}"


def facts(key: str, **given: Any) -> dict[str, Any]:
    told = {"key": key, "name": f"名称 {key}", "item_class": "server", "environment": "production"}
    return {**told, "criticality": "high", "lifecycle": "operational", **given}


@dataclass
class KnownItems:
    """What was told so far, by `desk`'s database."""

    desk: Desk
    told: list[Envelope] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)

    def envelope(self, subject: str, event: Event) -> Envelope:
        version = self.versions[subject] = self.versions.get(subject, 0) + 1
        return Envelope(
            id=ids.derived_id("told", subject, str(version)),
            type=f"opsledger.{event.type_name}",
            source="/opsledger/test/cmdb",
            subject=subject,
            time=START,
            recordedtime=START,
            aggregateversion=version,
            partitionkey=subject,
            correlationid="c",
            actor="person-1",
            data=event.model_dump(mode="json", exclude_none=True),
        )

    async def tell(self, *events: tuple[str, Event]) -> None:
        """One batch of events, each with its aggregate."""
        envelopes = [self.envelope(subject, event) for subject, event in events]
        self.told += envelopes

        async def work(transaction: Any) -> None:
            await SUBSCRIPTION.handle(transaction, envelopes)

        await self.desk.running.store.run(work)

    async def item(self, key: str, owner: str | None = None, **given: Any) -> None:
        event = ConfigurationItemRegistered(**facts(key, owner_team=owner, **given))
        await self.tell((item_id(key), event))

    async def relate(self, dependent: str, dependency: str) -> None:
        ends = self._ends(dependent, dependency)
        await self.tell((f"rel-{dependent}-{dependency}", ConfigurationItemsRelated(**ends)))

    async def unrelate(self, dependent: str, dependency: str) -> None:
        ends = self._ends(dependent, dependency)
        await self.tell((f"rel-{dependent}-{dependency}", ConfigurationItemsUnrelated(**ends)))

    def _ends(self, dependent: str, dependency: str) -> Any:
        return {
            "source": item_id(dependent),
            "source_key": dependent,
            "target": item_id(dependency),
            "target_key": dependency,
            "relation": "depends_on",
            "impact": "source_depends",
        }

    async def chain(self, *keys: str, owner: str | None = None) -> None:
        """Items, each of which depends on the next."""
        for key in keys:
            await self.item(key, owner)
        for dependent, dependency in pairwise(keys):
            await self.relate(dependent, dependency)

    async def assert_rebuilt(self, database: str) -> None:
        """The tables are what the events say, however they come in batches."""

        async def batches(size: int) -> AsyncIterator[list[Envelope]]:
            for start in range(0, len(self.told), size):
                yield self.told[start : start + size]

        owner = await asyncpg.connect(database, server_settings={"timezone": "UTC"})
        try:
            [projection] = SUBSCRIPTION.projections
            live = await digest(owner, projection, "incident")
            for size in (1, 3, 1000):
                assert live == await rebuilt_digest(owner, projection, "incident", batches(size))
        finally:
            await owner.close()
