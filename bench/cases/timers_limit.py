"""In processes of their own: claiming rows that become due, and watching breaches arrive."""

import asyncio
from typing import Any, Final

import asyncpg
import nats
import pydantic_core
from nats.aio.msg import Msg

from opsledger_events.envelope import parse_instant
from opsledger_events.subjects import context_subjects
from opsledger_runtime.clock import machine_time

_CLAIM: Final = """
with chosen as (
  select queue, key from bench_timer where queue = 'clock' and due <= clock_timestamp()
   order by due limit 200 for update skip locked
)
delete from bench_timer t using chosen where t.queue = chosen.queue and t.key = chosen.key
returning extract(epoch from t.due)::float8
"""


async def claim(url: str, due: int, other: int) -> dict[str, Any]:
    """Claim `due` rows as they become due over a second, among `other` that are not; milliseconds late, each."""
    connection = await asyncpg.connect(url)
    late: list[float] = []
    try:
        await connection.execute("create table bench_timer (like es.timer including all)")
        await connection.execute(
            "insert into bench_timer (queue, key, due) select 'clock', 'other-' || n, now() + interval '1 day'"
            " from generate_series(1, $1::integer) n",
            other,
        )
        await connection.execute(
            "insert into bench_timer (queue, key, due) select 'clock', 'due-' || n,"
            " now() + make_interval(secs => 2 + n::float8 / $1::integer) from generate_series(1, $1::integer) n",
            due,
        )
        await connection.execute("analyze bench_timer")
        while len(late) < due:
            rows = await connection.fetch(_CLAIM)  # a transaction of its own, committed when it answers
            now = machine_time().timestamp()
            late.extend((now - row[0]) * 1000 for row in rows)
            if not rows:
                await asyncio.sleep(0.005)
        await connection.execute("drop table bench_timer")
    finally:
        await connection.close()
    return {"late_ms": late}


async def watch(url: str, user: str, password: str, count: int, offset_seconds: float) -> dict[str, Any]:
    """Wait for so many breaches on the bus; how late each is in domain time, in milliseconds."""
    client = await nats.connect(url, user=user, password=password)
    arrived: list[tuple[float, bytes]] = []
    done = asyncio.Event()

    async def hear(message: Msg) -> None:
        now = machine_time().timestamp()
        if message.subject.split(".")[3] == "SLABreached":
            arrived.append((now, message.data))
        if len(arrived) >= count:
            done.set()

    await client.subscribe(context_subjects("sla"), cb=hear, pending_msgs_limit=0, pending_bytes_limit=0)
    try:
        async with asyncio.timeout(120):
            await done.wait()
    except TimeoutError:
        pass  # whoever asked counts them
    await client.close()
    return {"late_ms": [(at + offset_seconds - _due(data)) * 1000 for at, data in arrived]}


def _due(data: bytes) -> float:
    return parse_instant(pydantic_core.from_json(data)["time"]).timestamp()
