"""In processes of their own: fetching the stream and doing nothing, and writing the mart's finished rows at once."""

import time
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from opsledger_events.subjects import STREAM, context_subjects

_TABLES: Final = ("fact_incident", "fact_sla_clock", "fact_notification")

_COLUMNS: Final = "select attname from pg_attribute where attrelid = $1::regclass and attnum > 0 and attgenerated = ''"


async def fetch(url: str, user: str, password: str, events: int, batch: int) -> dict[str, Any]:
    """Read so many messages of incidents by batches, acknowledging each batch; the seconds it took."""
    client = await nats.connect(url, user=user, password=password)
    try:
        js = client.jetstream()
        name = "bench_projection_limit"
        config = ConsumerConfig(
            durable_name=name,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.ALL,
            max_ack_pending=4 * batch,
            filter_subject=context_subjects("incident"),
        )
        await js.add_consumer(STREAM, config)
        subscription = await js.pull_subscribe_bind(durable=name, stream=STREAM)
        found = size = 0
        begun = time.monotonic()
        while found < events:
            messages = await subscription.fetch(min(batch, events - found), timeout=10)
            found += len(messages)
            size += sum(len(message.data) for message in messages)
            await messages[-1].ack()
        seconds = time.monotonic() - begun
        await js.delete_consumer(STREAM, name)
    finally:
        await client.close()
    return {"events": found, "seconds": seconds, "bytes": size}


async def write(url: str, transactions: int) -> dict[str, Any]:
    """Write every row that the mart's facts hold into copies with the same indexes; the seconds it took, by COPY.

    In so many transactions of equal size, as many as the projection has: a checkpoint is a commit.
    """
    connection = await asyncpg.connect(url)
    rows, seconds = 0, 0.0
    try:
        await connection.execute("create schema bench_limit")
        for table in _TABLES:
            await connection.execute(f"create table bench_limit.{table} (like mart.{table} including all)")
            columns = [row[0] for row in await connection.fetch(_COLUMNS, f"mart.{table}")]
            found = [tuple(row) for row in await connection.fetch(f"select {', '.join(columns)} from mart.{table}")]
            size = max(1, -(-len(found) // transactions))
            rows += len(found)
            seconds += await _copy(
                connection, table, columns, [found[i : i + size] for i in range(0, len(found), size)]
            )
    finally:
        await connection.execute("drop schema if exists bench_limit cascade")
        await connection.close()
    return {"rows": rows, "seconds": seconds}


async def _copy(connection: Any, table: str, columns: Sequence[str], parts: Sequence[Sequence[Any]]) -> float:
    begun = time.monotonic()
    for part in parts:
        await connection.copy_records_to_table(table, schema_name="bench_limit", records=part, columns=columns)
    return time.monotonic() - begun
