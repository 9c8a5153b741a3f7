"""Everything in one process: servers from wheels, the four services, HTTP, the demonstration (D14).

Owns the order: servers, bus, services, HTTP; and the reverse when it stops. It is for one machine and people who try,
build or operate small; production runs each service alone and refuses the local issuer that is used here.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx
import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from opsledger import demo
from opsledger.looping import spare_collector
from opsledger.services import CONTEXTS, services
from opsledger.serving import listen, serving
from opsledger.telling import Teller
from opsledger_events.subjects import STREAM
from opsledger_runtime import logs
from opsledger_runtime.auth import LocalIssuer
from opsledger_runtime.clock import monotonic, set_offset
from opsledger_runtime.embedded.databases import Reader
from opsledger_runtime.embedded.platform import EmbeddedPlatform
from opsledger_runtime.embedded.problems import CannotStart
from opsledger_runtime.http import build_app
from opsledger_runtime.provision import durable, provision
from opsledger_runtime.running import Running, start
from opsledger_runtime.service import Service
from opsledger_runtime.settings import Settings

READER: Final = Reader(role="bi_reader", context="reporting", schema="mart")
_HOST: Final = "127.0.0.1"
_READY_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 2.0
_LOG_BYTES: Final = 50_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """What a person may choose. Port 0 takes a free one."""

    port: int
    data_dir: Path
    demonstration: bool


def issuer_file(data_dir: Path) -> Path:
    """The local issuer's private key."""
    return data_dir / "issuer.json"


def token(data_dir: Path, role: str, **claims: object) -> str:
    """A bearer token of the local issuer.

    Raises:
        CannotStart: nothing was ever started in this data folder, or it is not yours to read.
        ValueError: there is no such role.
    """
    file = issuer_file(data_dir)
    try:
        if not file.exists():
            raise CannotStart(
                f"There is no Opsledger in {data_dir.absolute()} yet. Start it with `make run`, or say where it is "
                "with OPSLEDGER_DATA_DIR=/path/to/folder."
            )
        return LocalIssuer.load_or_create(file).token(role, **claims)  # type: ignore[arg-type]
    except OSError as error:
        raise CannotStart(
            f"{file.absolute()} cannot be read: {error.strerror}. Ask as the user who started it."
        ) from error


async def up(options: Options, tell: Teller, *, stay: bool = True) -> None:
    """Start everything and stay until cancelled; with `stay` false return after the demonstration.

    Raises:
        CannotStart: says why and what to do; whatever had started is stopped again.
    """
    link = listen(_HOST, options.port)
    async with AsyncExitStack() as stack:
        stack.callback(link.close)
        base_url = f"http://{_HOST}:{link.getsockname()[1]}"
        chosen = services()
        platform = await stack.enter_async_context(_servers(options, chosen, tell))
        log = options.data_dir / "opsledger.log"
        _log_to(log, stack)
        issuer = LocalIssuer.load_or_create(issuer_file(options.data_dir))
        issuer.write_jwks(options.data_dir / "jwks.json")
        clock_file = options.data_dir / "clock.json"
        play = options.demonstration and demo.wanted(options.data_dir)
        if play:
            demo.prepare(clock_file)
        else:
            set_offset(clock_file, timedelta(0))  # a killed demonstration may have left it in the past
        tell.begin("Preparing the bus …")
        await stack.enter_async_context(_bus(platform, chosen, tell))
        tell.done("The bus has its stream and consumers.")
        runnings = await _start_services(stack, chosen, platform, options.data_dir, tell)
        http = await stack.enter_async_context(serving(build_app(runnings), link))
        tell.begin("Waiting until every service can work …")
        await _ready(base_url)
        tell.done("Every service can work.")
        spare_collector()
        demo.remember(options.data_dir)
        if play:
            await _play(base_url, issuer, clock_file, tell, go_on=stay)
        tell.settle(f"Opsledger is ready at {base_url}")
        if stay:
            _explain(tell, base_url, options.data_dir, log, platform)
            await _stay(http, platform, tell)


@asynccontextmanager
async def _servers(options: Options, chosen: Sequence[Service], tell: Teller) -> AsyncIterator[EmbeddedPlatform]:
    durables = {
        service.context: [
            durable(service.context, subscription.name, side)
            for subscription in service.subscriptions
            for side in ("a", "b")
        ]
        for service in chosen
    }
    platform = EmbeddedPlatform(options.data_dir, CONTEXTS, durables, reader=READER, progress=tell.done)
    first = not (options.data_dir / "secrets.json").exists()
    tell.begin(f"Starting Postgres and NATS in {options.data_dir}{' for the first time' if first else ''} …")
    await platform.start()
    try:
        yield platform
    finally:
        await platform.stop()
        tell.done("Postgres and NATS have stopped.")


@asynccontextmanager
async def _bus(platform: EmbeddedPlatform, chosen: Sequence[Service], tell: Teller) -> AsyncIterator[None]:
    """Provision now, and again whenever the stream is found gone: NATS may come back with an empty disk."""
    url, user, password = platform.admin()
    admin = await nats.connect(
        url, user=user, password=password, max_reconnect_attempts=-1, reconnect_time_wait=0.2, error_cb=_quietly
    )
    watch: asyncio.Task[None] | None = None
    try:
        await _provision(admin, chosen)
        watch = asyncio.create_task(_provision_again(admin, chosen, tell), name="provision")
        yield
    finally:
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        await admin.close()


async def _provision(admin: Client, chosen: Sequence[Service]) -> None:
    await provision(admin.jetstream(), {service.context: service.subscriptions for service in chosen})


async def _provision_again(admin: Client, chosen: Sequence[Service], tell: Teller) -> None:
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            await admin.jetstream().stream_info(STREAM)
        except NotFoundError:
            try:
                await _provision(admin, chosen)
                tell.line("The bus had lost its stream; it has been made again and is being filled from the stores.")
            except (NatsError, OSError, TimeoutError):
                continue
        except (NatsError, OSError, TimeoutError):
            continue  # away; it is looked at again


async def _start_services(
    stack: AsyncExitStack, chosen: Sequence[Service], platform: EmbeddedPlatform, data_dir: Path, tell: Teller
) -> list[Running]:
    runnings = []
    for service in chosen:
        tell.begin(f"Starting the service {service.context} …")
        access = platform.access(service.context)
        settings = Settings(
            context=service.context,
            environment="development",
            database_url=access.database_url,
            owner_database_url=access.owner_database_url,
            nats_url=access.nats_url,
            nats_user=access.nats_user,
            nats_password=access.nats_password,
            jwks_file=data_dir / "jwks.json",
            clock_file=data_dir / "clock.json",
            data_dir=data_dir,
        )
        runnings.append(await stack.enter_async_context(start(service, settings)))
        tell.done(f"The service {service.context} runs.")
    return runnings


async def _ready(base_url: str) -> None:
    deadline = monotonic() + _READY_SECONDS
    async with httpx.AsyncClient(base_url=base_url, timeout=10, trust_env=False) as client:
        while True:
            answer = await client.get("/readyz")
            if answer.is_success:
                return
            if monotonic() > deadline:
                raise CannotStart(f"A service did not become ready within {_READY_SECONDS:.0f} s: {answer.text}")
            await asyncio.sleep(0.1)


async def _play(base_url: str, issuer: LocalIssuer, clock_file: Path, tell: Teller, *, go_on: bool) -> None:
    tell.settle("The demonstration, once for this data folder:")
    try:
        await demo.play(base_url, issuer.token("administrator"), clock_file, CONTEXTS, tell.console)
    except (demo.DemonstrationFailed, httpx.HTTPError) as error:
        if not go_on:
            raise CannotStart(f"The demonstration stopped: {error}.") from error
        tell.line(
            f"The demonstration stopped: {error}. Opsledger runs all the same; "
            "`.venv/bin/opsledger demo` plays it again in a scratch folder."
        )
    finally:
        set_offset(clock_file, timedelta(0))


def _explain(tell: Teller, base_url: str, data_dir: Path, log: Path, platform: EmbeddedPlatform) -> None:
    folder = "" if data_dir == Path("data") else f"OPSLEDGER_DATA_DIR={data_dir} "
    tell.line(f"  API and documentation   {base_url}/docs")
    tell.line(f"  A token                 {folder}.venv/bin/opsledger token --role agent")
    tell.line(f"  BI tools, read only     {platform.reader_url()}")
    tell.line(f"  Health, metrics         {base_url}/readyz  {base_url}/metrics")
    tell.line(f"  Log                     {log}")
    if not os.environ.get("OPSLEDGER_NOTIFY_SMTP_URL"):
        tell.line(f"  Mails                   {data_dir / 'mail'} (OPSLEDGER_NOTIFY_SMTP_URL names a mail server)")
    tell.line("Ctrl-C stops it; the next start goes on from the same data.")


async def _stay(http: "asyncio.Task[None]", platform: EmbeddedPlatform, tell: Teller) -> None:
    watch = asyncio.create_task(
        platform.watch(lambda name: tell.line(f"{name} had stopped and is started again.")), name="servers"
    )
    try:
        done, _ = await asyncio.wait({http, watch}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        raise CannotStart("The HTTP server ended by itself; the log says why. Start again.")
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


def _log_to(file: Path, stack: AsyncExitStack) -> None:
    if file.exists() and file.stat().st_size > _LOG_BYTES:
        file.replace(file.with_suffix(".log.old"))
    stream = stack.enter_context(file.open("a", encoding="utf-8", buffering=1))
    logs.configure(json=True, stream=stream)
    stack.callback(logs.configure, "critical")  # nobody writes to a closed file


async def _quietly(_: Exception) -> None:
    """Reconnecting is the client's business, and the log of the services tells of it."""
