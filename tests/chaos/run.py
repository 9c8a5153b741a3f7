"""One run of the storm from start to verdict: set up, load and faults together, rest, stop, check."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import nats
from tests.chaos import checker, clocks, read_models, scene
from tests.chaos.faults import PROCESSES, Fault
from tests.chaos.load import Journal, Load
from tests.chaos.storm import Storm
from tests.chaos.weather import Weather

from opsledger_events import Envelope

DESK = "desk-client"
_REPEATED = 40


@dataclass(frozen=True)
class Plan:
    """What a run does. `pace` stretches the clients' pauses; `patience` is how long the rest may take, in seconds."""

    seed: int
    seconds: float
    faults: Sequence[Fault]
    planted: str | None = None
    processes: Sequence[str] = PROCESSES
    clients: int = 8
    pace: float = 0.5
    patience: float = 90.0


@dataclass
class Report:
    """What was done and what was found; `complaints` by check, empty lists where all is well."""

    plan: Plan
    journal: Journal = field(default_factory=Journal)
    faults: Sequence[Fault] = ()
    events: dict[str, int] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    mails: int = 0
    rest_seconds: float = 0.0
    complaints: dict[str, list[str]] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        return not any(self.complaints.values())


async def run(plan: Plan, directory: Path, say: Callable[[str], None] = lambda _: None) -> Report:
    """Everything is stopped when this returns or raises, also when it is cancelled."""
    report = Report(plan)
    storm = Storm(directory, plan.planted, plan.processes, say)
    try:
        say("starting Postgres, NATS and the services …")
        await storm.start()
        await scene.set_up(storm)
        say(f"{plan.clients} clients for {plan.seconds:.0f} s, {len(plan.faults)} faults …")
        weather = Weather(storm)
        load = _loading(plan, storm, report)
        await _under_way(plan, storm, weather, load, report)
        report.faults = weather.done
        say("the load has ended; waiting until nothing is on its way …")
        since, samples = await _rest(plan, storm, report)
        report.complaints["a repeat gets the first answer"] = await _repeat(load, report.journal)
        await storm.stop_services()
        until = datetime.now(UTC)
        say("the services have stopped; checking …")
        stubborn = [f"{name}: asked to stop, had to be killed" for name in storm.stubborn]
        report.complaints["services stop when asked"] = weather.complaints + stubborn
        report.complaints["one leader each"] = checker.leaders(samples)
        await _check(storm, report, since, until)
    finally:
        await _to_its_end(asyncio.ensure_future(storm.stop()))
    return report


async def _to_its_end(task: "asyncio.Future[None]") -> None:
    """However often somebody interrupts."""
    interrupted: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            interrupted = error
    if interrupted is not None:
        raise interrupted
    task.result()


def _loading(plan: Plan, storm: Storm, report: Report) -> Load:
    desk = storm.issuer.token("lead", subject=DESK, machine=True)
    machine = storm.issuer.token("integration", subject="monitoring")
    return Load(plan.seed, lambda: storm.services["incident"].url, (DESK, desk), machine, report.journal, plan.pace)


async def _under_way(plan: Plan, storm: Storm, weather: Weather, load: Load, report: Report) -> None:
    async with asyncio.TaskGroup() as group:
        clients = group.create_task(load.run(plan.clients))
        faults = group.create_task(weather.run(plan.faults, lambda: report.journal.count("acknowledged")))
        progress = group.create_task(_progress(storm, report.journal))
        await asyncio.sleep(plan.seconds)
        await weather.begun.wait()
        load.stop()
        await clients
        await faults
        progress.cancel()


async def _repeat(load: Load, journal: Journal) -> list[str]:
    acknowledged = [entry for entry in journal.entries if entry.outcome == "acknowledged"]
    try:
        return await load.repeat(acknowledged[:: max(1, len(acknowledged) // _REPEATED)])
    except httpx.HTTPError as error:
        return [f"no answer: {error!r}"]


async def _progress(storm: Storm, journal: Journal) -> None:
    seconds = 0
    while True:
        await asyncio.sleep(10)
        seconds += 10
        counts = ", ".join(f"{journal.count(outcome)} {outcome}" for outcome in ("acknowledged", "refused", "unknown"))
        storm.say(f"{seconds:6.1f} s  {counts}, {len(journal.alerts)} alerts")


async def _rest(plan: Plan, storm: Storm, report: Report) -> tuple[datetime, list[list[dict[str, Any]]]]:
    """The instant up to which every timer had fired, and who led when all was at rest."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    since = datetime.now(UTC)
    try:
        since = await storm.rest(plan.patience)
        report.complaints["comes to rest"] = []
    except AssertionError as error:
        report.complaints["comes to rest"] = [str(error)]
    report.rest_seconds = loop.time() - began
    samples: list[list[dict[str, Any]]] = []
    for _ in range(4):
        try:
            samples.append(await storm.statuses())
        except Exception as error:
            report.complaints["comes to rest"].append(f"no status: {error!r}")
        await asyncio.sleep(0.4)
    return since, samples


async def _check(storm: Storm, report: Report, since: datetime, until: datetime) -> None:
    async with AsyncExitStack() as stack:
        connections: dict[str, asyncpg.Connection[asyncpg.Record]] = {}
        for context in storm.contexts:
            connections[context] = await asyncpg.connect(storm.platform.access(context).owner_database_url)
            stack.push_async_callback(connections[context].close)
        url, user, password = storm.platform.admin()
        client = await nats.connect(url, user=user, password=password)
        stack.push_async_callback(client.close)
        events = {context: await checker.events_of(connections[context]) for context in storm.contexts}
        sunk = [json.loads(line) for line in storm.mails.read_text(encoding="utf-8").splitlines()]
        _count(report, events, sunk)
        found = report.complaints
        found["no server error"] = [text[:300] for text in report.journal.server_errors[:5]]
        found["commands: in exactly once, or out"] = await checker.commands(connections["incident"], report.journal)
        found["alerts: one incident each"] = await checker.alerts(connections["incident"], report.journal)
        found["stores: versions, numbers, chain"] = await checker.stores(connections)
        found["the bus equals the stores"] = checker.bus(events, await checker.read_stream(client.jetstream()))
        found["nothing parked"] = await checker.parked(connections)
        services = [storm.known[context] for context in storm.contexts]
        found["read models equal a rebuild"] = await read_models.equal_to_rebuilt(services, connections, events)
        found["subscriptions at the end"] = await read_models.caught_up(services, connections, events)
        if "sla" in events:
            wanted = clocks.expected(events["incident"], clocks.agreements(events["sla"]))
            found["breaches and warnings: once, none false"] = clocks.announcements(wanted, events["sla"], since, until)
            found["clocks and timers as computed"] = await clocks.standing(wanted, connections["sla"], since)
        if "notify" in events:
            found["a notice for each event"] = await read_models.notices(connections, events)
            found["the ledger agrees with the mail sink"] = await checker.mails(connections["notify"], sunk, since)


def _count(report: Report, events: Mapping[str, Sequence[Envelope]], sunk: Sequence[Any]) -> None:
    report.events = {context: len(envelopes) for context, envelopes in events.items()}
    report.mails = len(sunk)
    for name in ("SLAWarningReached", "SLABreached", "NotificationRequested", "NotificationDelivered"):
        report.names[name] = sum(envelope.name == name for envelopes in events.values() for envelope in envelopes)
