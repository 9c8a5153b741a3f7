"""Webhooks of an Alertmanager: one alert or many in each, new ones, repeats and changes."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from bench import apart, load, losses, measuring, whole
from bench.bench import Bench
from bench.case import Case
from bench.cases.alerts_bodies import ROUNDS, Sent, webhooks
from bench.cases.alerts_limit import STOP
from bench.load import Loaded, Request
from bench.measuring import percentile
from bench.platform import Platform
from bench.results import Measurement
from opsledger_events.envelope import parse_instant
from opsledger_runtime.clock import machine_time
from opsledger_runtime.embedded.processes import free_port

PATH: Final = "/api/incident/v1/alerts/alertmanager"
_ALONE: Final = "incident"
_SHARE: Final = 0.3
_RATE: Final = 5_000
_WARM: Final = 400
_PATIENCE_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class _Round:
    """What one sending of all alerts found. `cpu`: seconds by process."""

    loaded: Loaded
    alerts: int
    cpu: dict[str, float]


async def run(bench: Bench) -> None:
    """One after the other: webhooks of one alert and of many at the service, then the same at the bare handler."""
    batches = (1, bench.sizes.alerts_batch)
    async with bench.platform() as platform:
        await platform.start(_ALONE)
        since = await losses.mark(platform, (_ALONE,))
        url = platform.service_url(_ALONE) + PATH
        told: Counter[Sent] = Counter()
        found: dict[int, list[_Round]] = {}
        for batch in batches:
            await _send(bench, platform, url, "warm", batch, told)
            found[batch] = await _send(bench, platform, url, "told", batch, told)
            bench.tell("waiting until everything is on the bus")
            await whole.wait_until_drained(platform, bench.sizes.drain_seconds)
        bench.tell("looking for losses")
        bench.fail(await _lost(platform, told, since))
        await platform.stop(_ALONE)
        for batch in batches:
            _record(bench, batch, found[batch], await _limit(bench, platform, batch, found[batch]))


async def _send(
    bench: Bench, platform: Platform, url: str, name: str, batch: int, told: Counter[Sent], sent: Sequence[int] = ()
) -> list[_Round]:
    """Every alert once in each round. `sent`: how many in each round, where another load has shown it."""
    now = _now()
    distinct = bench.sizes.alerts_distinct if name != "warm" else min(_WARM, bench.sizes.alerts_distinct)
    base, path = url.removesuffix(PATH), PATH
    rounds: list[_Round] = []
    for turn in range(ROUNDS):
        bench.tell(f"webhooks of {batch} alerts, round {turn + 1} of {ROUNDS}")
        made = list(webhooks(f"{name}-{batch}", distinct, batch, turn, now))
        request = Request(
            "POST", path, platform.token("intake"), [body for body, _ in made], count=sent[turn] if sent else len(made)
        )
        before = platform.cpu()
        # Only the first round ends by time: the others send what it sent.
        seconds = bench.sizes.alerts_seconds if turn == 0 and not sent else _PATIENCE_SECONDS
        loaded = await load.closed(base, request, clients=bench.sizes.alerts_clients, seconds=seconds)
        cpu = measuring.used(before, platform.cpu())
        if loaded.refused:
            bench.fail([f"{loaded.refused} webhooks were refused ({loaded.statuses}): {loaded.refusals[:2]}"])
        answered = made[: loaded.accepted]
        told.update(one for _, alerts in answered for one in alerts)
        distinct = loaded.accepted * batch
        rounds.append(_Round(loaded, distinct, cpu))
    return rounds


async def _lost(platform: Platform, told: Counter[Sent], since: losses.Mark) -> list[str]:
    """Each acknowledged alert stands for one incident, which is on the bus; each acknowledged webhook was counted."""
    async with platform.database(_ALONE) as connection:
        opened = await connection.fetch("select id, alert_fingerprint from incident_queue")
        counted = await connection.fetch(
            "select fingerprint, starts_at, status, sum(count)::bigint as count from alert_intake group by 1, 2, 3"
        )
    incidents = Counter(row["alert_fingerprint"] for row in opened)
    wanted = {one.fingerprint for one in told}
    found = []
    if wrong := [name for name in wanted if incidents[name] != 1]:
        found.append(f"{len(wrong)} alerts have no incident or several, for example {wrong[0]}: {incidents[wrong[0]]}")
    if more := incidents.keys() - wanted:
        found.append(f"{len(more)} incidents are of alerts that nobody sent")
    expected: Counter[tuple[str, datetime, str]] = Counter()
    for one, count in told.items():
        expected[one.fingerprint, parse_instant(one.starts_at), one.status] += count
    kept = {(row["fingerprint"], row["starts_at"], row["status"]): row["count"] for row in counted}
    if kept != expected:
        differing = sum(kept.get(key) != expected.get(key) for key in kept.keys() | expected.keys())
        found.append(f"{differing} states of alerts were counted other than they were acknowledged")
    return found + await losses.after(platform, [row["id"] for row in opened], (_ALONE,), since)


async def _limit(bench: Bench, platform: Platform, batch: int, found: list[_Round]) -> tuple[list[_Round], float]:
    """The same webhooks at the bare handler, and the processor milliseconds of its process for an alert."""
    port = free_port()
    given = {"url": platform.access(_ALONE).owner_database_url, "port": port}
    serving = asyncio.create_task(apart.run("bench.cases.alerts_limit:serve", given))
    base = f"http://127.0.0.1:{port}"
    try:
        await _answers(port)
        told: Counter[Sent] = Counter()
        await _send(bench, platform, base + PATH, "warm", batch, told)
        sent = [one.alerts // batch for one in found]
        rounds = await _send(bench, platform, base + PATH, "told", batch, told, sent)
    finally:
        async with httpx.AsyncClient(trust_env=False) as http:
            await http.get(base + STOP)
    outcome = await serving
    if outcome.value != told.total():
        bench.fail([f"the limit committed {outcome.value} alerts of {told.total()}"])
    return rounds, outcome.cpu_seconds * 1000 / max(1, told.total())


async def _answers(port: int) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


def _record(bench: Bench, batch: int, found: list[_Round], bare: tuple[list[_Round], float]) -> None:
    limit, of_handler = bare
    what = f"webhooks of {batch} {'alert' if batch == 1 else 'alerts'}"
    mixed, most = _rate(found), _rate(limit)
    alerts = sum(one.alerts for one in found)
    spent = _cpu_ms(found)
    latencies = [ms for one in found for ms in one.loaded.latencies_ms]
    theirs = [ms for one in limit for ms in one.loaded.latencies_ms]
    told: dict[str, Any] = {"p50_ms": percentile(latencies, 0.5), "p99_ms": percentile(latencies, 0.99)}
    parts = ", ".join(f"{name} {ms:.3f}" for name, ms in spent.items())
    bench.record(
        Measurement(
            "alerts",
            f"{what}: new, then two rounds of repeats with a fifth changed",
            mixed,
            "alerts/s",
            most,
            mixed / most,
            ">= 0.3 of the limit",
            mixed / most >= _SHARE,
            **told,
            cpu_ms=sum(spent.values()),
            note=f"{alerts:,} alerts; CPU ms: {parts}; limit: p50 {percentile(theirs, 0.5):.2f} ms, p99 "
            f"{percentile(theirs, 0.99):.2f} ms, CPU handler {of_handler:.3f} ms, "
            f"Postgres {_cpu_ms(limit)['postgres']:.3f} ms",
        )
    )
    for name, some, others in (("new alerts", found[:1], limit[:1]), ("repeats and changes", found[1:], limit[1:])):
        rate, theirs_rate = _rate(some), _rate(others)
        parts = ", ".join(f"{process} {ms:.3f}" for process, ms in _cpu_ms(some).items())
        bench.record(
            Measurement(
                "alerts",
                f"{what}: {name} alone",
                rate,
                "alerts/s",
                theirs_rate,
                rate / theirs_rate,
                cpu_ms=sum(_cpu_ms(some).values()),
                note=f"CPU ms: {parts}",
            )
        )
    if batch > 1:
        bench.record(
            Measurement("alerts", f"{what}: a second", mixed, "alerts/s", aim=">= 5,000/s", met=mixed >= _RATE)
        )


def _cpu_ms(rounds: Sequence[_Round]) -> dict[str, float]:
    """Processor milliseconds per alert, by process."""
    alerts = max(1, sum(one.alerts for one in rounds))
    return {name: sum(one.cpu[name] for one in rounds) * 1000 / alerts for name in rounds[0].cpu}


def _rate(rounds: Sequence[_Round]) -> float:
    """Alerts acknowledged per second of sending."""
    return sum(one.alerts for one in rounds) / max(1e-9, sum(one.loaded.seconds for one in rounds))


def _now() -> datetime:
    return machine_time().replace(microsecond=0) - timedelta(minutes=1)


CASE: Final = Case(
    "alerts",
    "A bare ASGI handler on the same server and event loop that parses the body and commits one row per alert, one "
    "transaction per webhook, with as many clients: an alert that is acknowledged must be on disk, and nobody can know "
    "it without reading the body.",
    run,
)
