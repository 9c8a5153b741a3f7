"""Opening incidents over HTTP: the incident service alone beside bare inserts, then every service at once."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from bench import apart, load, losses, measuring, whole, yardstick
from bench.bench import Bench
from bench.case import Case
from bench.cases import command_limit
from bench.load import Loaded
from bench.measuring import percentile
from bench.platform import Platform
from bench.results import Measurement

_COPY: Final = "opsledger_bench_limit"
_ALONE: Final = "incident"
_CLIENTS: Final = 16
_SHARE: Final = 1 / 3
_RATE: Final = 1_000
_P99_MS: Final = 60.0
_CPU_MS: Final = 2.5
_GROWTH: Final = 1.2


@dataclass(frozen=True, slots=True)
class _Level:
    """What one number of clients found on one length of history. `yardstick`: how slow the processors were then."""

    history: int
    clients: int
    loaded: Loaded
    cpu_ms: dict[str, float]
    yardstick: float

    @property
    def total_cpu_ms(self) -> float:
        return sum(self.cpu_ms.values())


async def run(bench: Bench) -> None:
    """The service alone on each history, the growth of its cost, then all services."""
    levels: list[_Level] = []
    for history in bench.sizes.command_histories:
        async with _platform(bench, history) as platform:
            levels += await _alone(bench, platform, history)
    _growth(bench, levels)
    await _together(bench)


def _platform(bench: Bench, history: int) -> "AbstractAsyncContextManager[Platform]":
    return bench.filled(history) if history else bench.platform()


# The incident service alone


async def _alone(bench: Bench, platform: Platform, history: int) -> list[_Level]:
    bench.tell("starting the incident service")
    await platform.start(_ALONE)
    await whole.wait_until_drained(platform, bench.sizes.drain_seconds)
    since = await losses.mark(platform, (_ALONE,))
    accepted = await whole.warm(bench, platform, f"warm-{history}")
    levels: list[_Level] = []
    for clients in bench.sizes.command_clients:
        bench.tell(f"{clients} clients on {history:,} incidents")
        request = whole.opening(platform, bench.sizes.command_body_bytes, f"alone-{history}-{clients}")
        slow = await yardstick.seconds()
        before = platform.cpu()
        loaded = await load.closed(
            platform.service_url(_ALONE), request, clients=clients, seconds=bench.sizes.command_seconds
        )
        spent = measuring.used(before, platform.cpu())
        slow = (slow + await yardstick.seconds()) / 2
        cpu_ms = {name: seconds * 1000 / max(1, loaded.accepted) for name, seconds in spent.items()}
        levels.append(_Level(history, clients, loaded, cpu_ms, slow))
        accepted += whole.ids(loaded)
        bench.fail(_refusals(loaded))
    await whole.wait_until_drained(platform, bench.sizes.drain_seconds)
    memory = platform.resident()[_ALONE]
    bench.fail(await losses.after(platform, accepted, (_ALONE,), since))
    await platform.stop(_ALONE)
    await _beside_limit(bench, platform, levels, memory)
    return levels


async def _beside_limit(bench: Bench, platform: Platform, levels: Iterable[_Level], memory: float) -> None:
    first = command_limit.FIRST_NUMBER
    async with _copy(platform) as url:
        for level in levels:
            where = f"{level.clients} clients, {level.history:,} incidents"
            told, limit_cpu_ms = await _limit(bench, platform, url, level.clients, first)
            bench.record(_beside(where, level, memory, told, limit_cpu_ms))
            first += 1_000_000


def _beside(where: str, level: _Level, memory: float, told: dict[str, Any], limit_cpu_ms: float) -> Measurement:
    limit = command_limit.rate(told)
    share = level.loaded.rate / limit
    p50, p99 = (percentile(told["latencies_ms"], q) for q in (0.5, 0.99))
    parts = ", ".join(f"{name} {ms:.2f}" for name, ms in level.cpu_ms.items())
    return Measurement(
        "command",
        f"incident service alone: {where}",
        level.loaded.rate,
        "commands/s",
        limit,
        share,
        ">= 1/3 of the limit",
        share >= _SHARE,
        level.loaded.p50_ms,
        level.loaded.p99_ms,
        level.total_cpu_ms,
        memory,
        f"CPU ms: {parts}; limit: p50 {p50:.2f} ms, p99 {p99:.2f} ms, CPU {limit_cpu_ms:.2f} ms",
    )


@asynccontextmanager
async def _copy(platform: Platform) -> AsyncIterator[str]:
    """A copy of the service's database, file by file: the same tables, indexes and rows. The service stands still."""
    url = platform.superuser_url(_ALONE)
    source = url.rsplit("/", 1)[1]
    admin = await asyncpg.connect(platform.servers.postgres.url())
    try:
        await admin.execute(f"create database {_COPY} template {source} strategy file_copy")
        yield url.removesuffix(source) + _COPY
        await admin.execute(f"drop database {_COPY} with (force)")
    finally:
        await admin.close()


async def _limit(bench: Bench, platform: Platform, url: str, clients: int, first: int) -> tuple[dict[str, Any], float]:
    """What the limit's process told, and the processor milliseconds of a transaction in it and in Postgres."""
    bench.tell(f"its limit with {clients} connections")
    seconds = bench.sizes.command_seconds
    given = {"url": url, "schemas": _ALONE, "clients": clients, "seconds": seconds, "first": first}
    before = platform.cpu()["postgres"]
    outcome = await apart.run("bench.cases.command_limit:insert", given)
    spent = platform.cpu()["postgres"] - before + outcome.cpu_seconds
    return outcome.value, spent * 1000 / max(1, len(outcome.value["latencies_ms"]))


def _refusals(loaded: Loaded) -> list[str]:
    if not loaded.refused:
        return []
    return [f"{loaded.refused} commands were refused ({loaded.statuses}): {'; '.join(loaded.refusals[:2])}"]


def _growth(bench: Bench, levels: list[_Level]) -> None:
    """What a command costs by how much is there already, processors as fast as at the least.

    Minutes lie between the levels, in which a shared machine's processors change by a quarter and more.
    """
    least = {level.clients: level for level in reversed(levels)}
    rows = []
    for level in levels:
        base = least[level.clients]
        slower = level.yardstick / base.yardstick
        by_p50 = level.loaded.p50_ms / base.loaded.p50_ms / slower
        by_cpu = level.total_cpu_ms / base.total_cpu_ms / slower
        rows.append(
            [
                level.history,
                level.clients,
                level.loaded.p50_ms,
                level.loaded.p99_ms,
                level.total_cpu_ms,
                *(level.cpu_ms.get(name) for name in (_ALONE, "postgres", "nats")),
                slower,
                by_p50,
                by_cpu,
            ]
        )
        if level.history == max(bench.sizes.command_histories) > 0:
            bench.record(
                Measurement(
                    "command",
                    f"cost at {level.history:,} incidents to cost at {base.history:,}, {level.clients} clients",
                    by_cpu,
                    "times",
                    aim="<= 1.2 times",
                    met=by_cpu <= _GROWTH,
                    note=f"of processor time; of p50 {by_p50:.2f} times; taken out: the processors took "
                    f"{slower:.2f} times as long for the same work",
                )
            )
    head = ["incidents", "clients", "p50 ms", "p99 ms", "CPU ms/op", "incident", "Postgres", "NATS"]
    bench.table("Cost of a command by history", [*head, "processors slower", "p50 to least", "CPU to least"], rows)


# Every service


async def _together(bench: Bench) -> None:
    async with bench.platform() as platform:
        bench.tell("starting every service")
        await platform.start(*whole.every_service())
        memory = platform.resident()
        accepted = await whole.warm(bench, platform)
        found = await whole.drained(bench, platform, _CLIENTS)
        loaded = found.loaded
        accepted += whole.ids(loaded)
        bench.fail(_refusals(loaded))
        bench.tell("looking for losses")
        bench.fail(await losses.after(platform, accepted, whole.every_service()))
        after = platform.resident()
        bench.record(
            Measurement(
                "command",
                f"all services as processes: {_CLIENTS} clients, accepted",
                loaded.rate,
                "commands/s",
                aim=">= 1,000/s",
                met=loaded.rate >= _RATE,
                p50_ms=loaded.p50_ms,
                p99_ms=loaded.p99_ms,
                cpu_ms=found.cpu_ms,
                memory_mib=sum(after.values()),
                note=f"{len(accepted):,} accepted with the warm-up, each in store, stream, mart, with its clocks: "
                f"{'no' if bench.result.failures else 'yes'}",
            )
        )
        bench.record(
            Measurement("command", "all services: p99", loaded.p99_ms, "ms", aim="< 60 ms", met=loaded.p99_ms < _P99_MS)
        )
        bench.record(
            Measurement(
                "command",
                "all services: time to drain after the last answer",
                found.drain_seconds,
                "s",
                note=f"{loaded.accepted:,} incidents with every effect",
            )
        )
        spent, idle = sum(found.cpu.values()), sum(found.idle_cpu.values())
        parts = ", ".join(
            f"{name} {(seconds - found.idle_cpu.get(name, 0)) * 1000 / max(1, loaded.accepted):.2f}"
            for name, seconds in found.cpu.items()
        )
        bench.record(
            Measurement(
                "command",
                "all services: CPU per incident with all its effects",
                found.cpu_ms,
                "ms",
                aim="<= 2.5 ms",
                met=found.cpu_ms <= _CPU_MS,
                note=f"{spent:.2f} s until drained less {idle:.2f} s idle for as long; ms by process: {parts}",
            )
        )
        bench.table(
            "Memory of every service as a process of its own, MiB",
            ["", *after, "together"],
            [
                ["idle", *memory.values(), sum(memory.values())],
                ["after the load", *after.values(), sum(after.values())],
            ],
        )


CASE: Final = Case(
    name="command",
    limit="the rows that a command writes (event, outbox, queue, kept answer) inserted by bare asyncpg in one "
    "transaction each, over as many connections, in a copy of the same database: no command can be acknowledged before "
    "these rows are on disk, so whatever the service takes on top is its own.",
    run=run,
)
