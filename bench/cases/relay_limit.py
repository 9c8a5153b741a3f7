"""In a process of its own: bare atomic batches of the events of a store."""

import json
from typing import Any, Final

import asyncpg
import nats
import pydantic_core

from opsledger_events.subjects import event_subject
from opsledger_runtime import ids
from opsledger_runtime.clock import monotonic

_BATCH: Final = 500
_TYPE: Final = "opsledger.bench.Published.v1"


async def publish(database: str, url: str, user: str, password: str, events: int) -> dict[str, Any]:
    """Send so many events of the store, in batches of 500 under another context's name; the seconds of sending."""
    messages = await _messages(database, events)
    client = await nats.connect(url, user=user, password=password)
    begun = monotonic()
    for first in range(0, len(messages), _BATCH):
        batch = messages[first : first + _BATCH]
        name = ids.new_id().hex
        for number, (subject, body, headers) in enumerate(batch, 1):
            headers.update({"Nats-Batch-Id": name, "Nats-Batch-Sequence": str(number)})
            if number < len(batch):
                await client.publish(subject, body, headers=headers)
        headers["Nats-Batch-Commit"] = "1"
        answer = json.loads((await client.request(subject, body, timeout=10, headers=headers)).data)
        if "error" in answer:
            raise RuntimeError(answer["error"])
    seconds = monotonic() - begun
    await client.close()
    return {"seconds": seconds}


async def _messages(database: str, events: int) -> list[tuple[str, bytes, dict[str, str]]]:
    connection = await asyncpg.connect(database)
    rows = await connection.fetch(
        "select e.body, e.salt, p.hash from es.publication p join es.event e on e.id = p.event order by p.no limit $1",
        events,
    )
    await connection.close()
    found = []
    for row in rows:
        event = pydantic_core.from_json(row["body"])
        headers = {
            "Content-Type": "application/cloudevents+json",
            "Nats-Msg-Id": str(ids.new_id()),
            "ce-type": event["type"],
            "Opsledger-Hash": row["hash"].hex(),
            "Opsledger-Salt": row["salt"].hex(),
        }
        found.append((event_subject(_TYPE, event["partitionkey"]), row["body"], headers))
    return found
