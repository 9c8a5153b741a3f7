"""How much room it takes: memory of one process and of several, time from start to ready, bytes kept per event."""

import asyncio
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Final

import httpx

from bench import measuring, whole
from bench.bench import Bench
from bench.case import Case
from bench.measuring import Stopwatch
from bench.platform import Platform
from bench.results import Measurement
from opsledger_events.subjects import STREAM
from opsledger_runtime.embedded.processes import free_port

_MEMORY_MIB: Final = 400
_READY_SECONDS: Final = 5.0
_SETTLE_SECONDS: Final = 3.0
_LONGEST_START: Final = 90.0

_BYTES: Final = """
select (select count(*) from es.event) as events,
  pg_total_relation_size('es.event') as event,
  pg_total_relation_size('es.publication') as publication,
  pg_total_relation_size('es.command') as command,
  pg_database_size(current_database()) as database
"""


async def run(bench: Bench) -> None:
    """One process with everything, then a process for each service, idle and after a load."""
    await _one_process(bench)
    async with bench.platform() as platform:
        bench.tell("starting every service as a process of its own")
        await platform.start(*whole.every_service())
        await asyncio.sleep(_SETTLE_SECONDS)
        idle = platform.resident()
        empty = await _kept(platform)
        await whole.warm(bench, platform)
        found = await whole.drained(bench, platform, max(bench.sizes.command_clients))
        busy = platform.resident()
        _memory(bench, idle, busy, found.loaded.accepted)
        await _bytes(bench, platform, empty)


# One process


async def _one_process(bench: Bench) -> None:
    with tempfile.TemporaryDirectory(prefix="opsledger-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)  # Postgres runs as a user of its own where we are root
        bench.tell("setting up one process with every service")
        async with _up(folder) as (_, first):
            pass
        starts = []
        for number in range(max(1, bench.sizes.size_rounds)):
            bench.tell(f"starting it again ({number + 1})")
            async with _up(folder) as (pid, seconds):
                starts.append(seconds)
                await asyncio.sleep(_SETTLE_SECONDS)
                alone = measuring.resident_mib([pid])
                everything = measuring.resident_mib(measuring.tree(pid))
    bench.record(
        Measurement(
            "size",
            "one process with every service, 0 data, idle",
            alone,
            "MiB",
            aim="< 400 MiB",
            met=alone < _MEMORY_MIB,
            memory_mib=everything,
            note="the process without its servers; the memory column is with Postgres and NATS",
        )
    )
    ready = median(starts)
    bench.record(
        Measurement(
            "size",
            "start to ready on a folder that is set up",
            ready,
            "s",
            aim="< 5 s",
            met=ready < _READY_SECONDS,
            note=f"median of {len(starts)}, the longest {max(starts):.2f} s; Postgres and NATS start with it; the "
            f"first start with its set-up took {first:.2f} s",
        )
    )


@asynccontextmanager
async def _up(folder: Path) -> AsyncIterator[tuple[int, float]]:
    """`opsledger up` without the demonstration: its process and the seconds until it was ready."""
    port = free_port()
    command = [str(Path(sys.executable).parent / "opsledger"), "up", "--port", str(port)]
    command += ["--data-dir", str(folder / "data"), "--no-demo"]
    with (folder / "up.log").open("ab") as log, Stopwatch() as watch:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            async with httpx.AsyncClient(timeout=5.0, trust_env=False) as http:
                while not await _is_ready(http, port):
                    if process.poll() is not None or watch.seconds > _LONGEST_START:
                        raise RuntimeError(f"it does not start: {(folder / 'up.log').read_text()[-1500:]}")
                    await asyncio.sleep(0.01)
            yield process.pid, watch.seconds
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait, 60)


async def _is_ready(http: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await http.get(f"http://127.0.0.1:{port}/readyz")).is_success
    except httpx.HTTPError:
        return False  # it does not listen yet


# Several processes


def _memory(bench: Bench, idle: dict[str, float], busy: dict[str, float], incidents: int) -> None:
    for what, found in (("idle", idle), (f"after {incidents:,} incidents", busy)):
        services = sum(found[name] for name in whole.every_service())
        bench.record(
            Measurement(
                "size",
                f"every service as a process of its own, {what}",
                services,
                "MiB",
                memory_mib=sum(found.values()),
                note="the services; the memory column is with Postgres and NATS",
            )
        )
    rows = [["idle", *idle.values()], ["after the load", *busy.values()]]
    bench.table("Resident memory by process, MiB", ["", *idle], rows)


async def _kept(platform: Platform) -> dict[str, dict[str, int]]:
    """Events and bytes of each service's store, and of the stream."""
    found: dict[str, dict[str, int]] = {}
    for context in whole.every_service():
        async with platform.database(context) as connection:
            row = await connection.fetchrow(_BYTES)
            found[context] = dict(row or {})
    async with platform.admin_nats() as client:
        state = (await client.jetstream().stream_info(STREAM)).state
        found["stream"] = {"events": state.messages, "event": state.bytes}
    return found


async def _bytes(bench: Bench, platform: Platform, before: dict[str, dict[str, int]]) -> None:
    after = await _kept(platform)
    grown = {
        place: {name: value - before[place].get(name, 0) for name, value in found.items()}
        for place, found in after.items()
    }
    stores = [grown[context] for context in whole.every_service()]
    events = max(1, sum(store["events"] for store in stores))
    kept = sum(store["event"] + store["publication"] for store in stores)
    bench.record(
        Measurement(
            "size",
            "Postgres: bytes per event in the store",
            kept / events,
            "bytes",
            note=f"event and publication with their indexes, over {events:,} events of every service",
        )
    )
    messages = max(1, grown["stream"]["events"])
    bench.record(
        Measurement(
            "size",
            "JetStream: bytes per event in the stream",
            grown["stream"]["event"] / messages,
            "bytes",
            note=f"over {messages:,} messages with their headers",
        )
    )
    rows = [
        [
            context,
            store["events"],
            *(store[name] / max(1, store["events"]) for name in ("event", "publication", "command", "database")),
        ]
        for context, store in zip(whole.every_service(), stores, strict=True)
    ]
    bench.table(
        "Bytes in Postgres per event, by service",
        ["", "events", "event", "publication", "kept answers", "whole database"],
        [row for row in rows if row[1]],
    )


CASE: Final = Case(
    name="size",
    limit="there is none to measure beside: what an idle Python process with these libraries, Postgres and NATS take "
    "is what the figures mostly are.",
    run=run,
)
