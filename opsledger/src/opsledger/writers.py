"""Processes that write generated histories, and whoever hands them their work.

Owns the processes and their end. Each has connections of its own and no part in any running service: what it writes is
found by the relay there.
"""

import asyncio
import multiprocessing
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import asyncpg

from incident.app import SERVICE
from incident.generating import Plan
from incident.recording import Recorded, record
from opsledger.looping import run_loop, spare_collector
from opsledger_runtime.clock import Clock, OffsetClock, SystemClock
from opsledger_runtime.service import Service
from opsledger_runtime.store import EventStore

BATCH: Final = 500
"""Incidents of one transaction: enough to share its cost, few enough that nobody waits for its end."""

_AT_ONCE: Final = 2
"""Batches that one writer has under way: while the database writes one, the next is thought out."""

_STATEMENT_SECONDS: Final = 60.0
_END_SECONDS: Final = 10.0


class WriterFailed(Exception):
    """A writer met an error; the message is the database's or the domain's."""


@dataclass(frozen=True, slots=True)
class Target:
    """The store of a service: where it is, whose events those are, what time it is there.

    `data_dir`: the folder whose disk it fills, where that is this machine's.
    """

    database_url: str
    installation: str = "local"
    clock_file: Path | None = None
    data_dir: Path | None = None

    def clock(self) -> Clock:
        """Domain time of the installation."""
        return OffsetClock(self.clock_file) if self.clock_file else SystemClock()


@asynccontextmanager
async def opened(target: Target, service: Service = SERVICE) -> AsyncIterator[EventStore]:
    """The store of a service, with a connection for each batch under way.

    Raises:
        OSError, asyncpg.PostgresError, asyncpg.InterfaceError: it cannot be reached.
    """
    async with asyncpg.create_pool(
        target.database_url,
        min_size=1,
        max_size=_AT_ONCE,
        command_timeout=_STATEMENT_SECONDS,
        server_settings={
            "search_path": ", ".join((*(service.schemas or (service.context,)), "es")),
            "application_name": "opsledger command line",
            "timezone": "UTC",
        },
    ) as pool:
        yield EventStore(service.context, target.installation, pool, target.clock(), service.inline)


def batches(plan: Plan) -> Iterator[range]:
    """The plan's indices in parts of one transaction each."""
    end = plan.first + plan.count
    for first in range(plan.first, end, BATCH):
        yield range(first, min(first + BATCH, end))


async def write_here(target: Target, plan: Plan) -> AsyncGenerator[Recorded, None]:
    """Write the plan in this process; yields what each batch wrote."""
    async with opened(target) as store:
        for batch in batches(plan):
            yield await record(store, plan, batch)


async def write(target: Target, plan: Plan, writers: int) -> AsyncGenerator[Recorded, None]:
    """Write the plan with so many processes; yields what each batch wrote, as it is committed.

    Raises:
        WriterFailed: one of them failed; batches that were yielded are written.
    """
    waiting = batches(plan)
    answers: asyncio.Queue[Any] = asyncio.Queue()
    crew = [_Writer(target, plan, answers) for _ in range(writers)]
    under_way = 0
    try:
        for writer in crew * _AT_ONCE:
            under_way += writer.give(next(waiting, None))
        while under_way:
            writer, answer = await answers.get()
            if not isinstance(answer, Recorded):
                raise WriterFailed(answer)
            under_way += writer.give(next(waiting, None)) - 1
            yield answer
    finally:
        await asyncio.gather(*(writer.end() for writer in crew))


class _Writer:
    """One process, seen from the one that hands out the work."""

    def __init__(self, target: Target, plan: Plan, answers: "asyncio.Queue[Any]") -> None:
        # Spawned: a fork would take the loop, the terminal and half a connection with it.
        method = multiprocessing.get_context("spawn")
        self._pipe, theirs = method.Pipe()
        self._answers = answers
        self._process = method.Process(target=_work, args=(theirs, target, plan), daemon=True)
        self._process.start()
        theirs.close()  # so that the end of the process is the end of the pipe
        asyncio.get_running_loop().add_reader(self._pipe.fileno(), self._hear)

    def give(self, batch: range | None) -> bool:
        """Hand over a batch, if there is one."""
        if batch is not None:
            with suppress(OSError):  # its end is heard of by `_hear`
                self._pipe.send(batch)
        return batch is not None

    def _hear(self) -> None:
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
            answer = "A writing process ended by itself."
        self._answers.put_nowait((self, answer))

    async def end(self) -> None:
        """Let it finish what it has in hand; closing the pipe tells it that nothing more comes."""
        asyncio.get_running_loop().remove_reader(self._pipe.fileno())
        self._pipe.close()
        await asyncio.to_thread(self._process.join, _END_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            await asyncio.to_thread(self._process.join)


def _work(pipe: Connection, target: Target, plan: Plan) -> None:
    for number in (signal.SIGINT, signal.SIGHUP):  # whoever hands out the work stops, and then so do we
        signal.signal(number, signal.SIG_IGN)
    spare_collector()
    run_loop(_serve(pipe, target, plan))


async def _serve(pipe: Connection, target: Target, plan: Plan) -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    async def one(store: EventStore, batch: range) -> None:
        _answer(pipe, await _recorded(store, plan, batch))

    def hear(store: EventStore) -> None:
        try:
            batch = pipe.recv()
        except (EOFError, OSError):
            loop.remove_reader(pipe.fileno())
            over.set()
            return
        task = loop.create_task(one(store, batch))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    try:
        async with opened(target) as store:
            loop.add_reader(pipe.fileno(), hear, store)
            await over.wait()
            await asyncio.gather(*tasks, return_exceptions=True)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        _answer(pipe, told(error))


async def _recorded(store: EventStore, plan: Plan, batch: range) -> Recorded | str:
    try:
        return await record(store, plan, batch)
    except Exception as error:  # told to whoever handed out the work, which ends it
        return told(error)


def _answer(pipe: Connection, answer: Recorded | str) -> None:
    with suppress(OSError):  # nobody waits for it any more
        pipe.send(answer)


def told(error: BaseException) -> str:
    """An error as part of a sentence."""
    return str(error).strip().rstrip(".") or type(error).__name__
