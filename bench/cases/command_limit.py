"""The limit of the case `command`, in a process of its own: rows that the service wrote, inserted by bare asyncpg."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

MATERIAL: Final = 2_000
"""How many commands' rows are taken as material; they are used in turn, with fresh ids."""

FIRST_NUMBER: Final = 5_000_000
"""Behind every number in use, and with as many digits."""

_READ: Final = """
select e as event, q as queue, c as command
from es.command c join es.event e on e.command = c.id join incident_queue q on q.id = e.aggregate
order by c.recorded_at desc limit $1
"""

_OUTBOX: Final = "insert into es.outbox (event) values ($1)"


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one command in the order of their tables' columns."""

    event: tuple[Any, ...]
    queue: tuple[Any, ...]
    command: tuple[Any, ...]

    def fresh(self, event: UUID, command: UUID, aggregate: str, number: str) -> "Rows":
        """The same bytes for another incident; `number` is the third column of the queue."""
        return Rows(
            (event, aggregate, *self.event[2:6], command, *self.event[7:]),
            (aggregate, self.queue[1], number, *self.queue[3:]),
            (command, *self.command[1:]),
        )


async def insert(url: str, schemas: str, clients: int, seconds: float, first: int) -> dict[str, Any]:
    """Insert for so long over so many connections, one command's rows in one transaction each.

    `first`: the first incident's number.
    """
    options: dict[str, Any] = {"server_settings": {"search_path": f"{schemas}, es", "timezone": "UTC"}}
    connections = [await asyncpg.connect(url, **options) for _ in range(clients)]
    records = await connections[0].fetch(_READ, MATERIAL)
    material = [Rows(*(tuple(record[name].values()) for name in ("event", "queue", "command"))) for record in records]
    if not material:
        raise RuntimeError("the service has written no rows that could be inserted again")
    writes = [await _transaction(connection, material[0]) for connection in connections]
    latencies: list[float] = []
    number = first
    begun = time.monotonic()

    async def one(write: "Callable[[Rows], Awaitable[None]]") -> None:
        nonlocal number
        while (sent := time.monotonic()) - begun < seconds:
            number += 1
            rows = material[number % len(material)]
            await write(rows.fresh(_uuid(), _uuid(), str(_uuid()), f"INC{number:07d}"))
            latencies.append((time.monotonic() - sent) * 1000)

    await asyncio.gather(*map(one, writes))
    took = time.monotonic() - begun
    for connection in connections:
        await connection.close()
    return {"seconds": took, "latencies_ms": latencies}


async def _transaction(connection: Any, shape: Rows) -> "Callable[[Rows], Awaitable[None]]":
    event = await connection.prepare(_into("es.event", len(shape.event)))
    outbox = await connection.prepare(_OUTBOX)
    queue = await connection.prepare(_into("incident_queue", len(shape.queue)))
    command = await connection.prepare(_into("es.command", len(shape.command)))

    async def write(rows: Rows) -> None:
        async with connection.transaction():
            await event.fetch(*rows.event)
            await outbox.fetch(rows.event[0])
            await queue.fetch(*rows.queue)
            await command.fetch(*rows.command)

    return write


def _into(table: str, columns: int) -> str:
    return f"insert into {table} values ({', '.join(f'${n + 1}' for n in range(columns))})"


def _uuid() -> UUID:
    return UUID(bytes=os.urandom(16))


def rate(told: dict[str, Any]) -> float:
    """Transactions a second."""
    latencies: Sequence[float] = told["latencies_ms"]
    seconds: float = told["seconds"]
    return len(latencies) / seconds
