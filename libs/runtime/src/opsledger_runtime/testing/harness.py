"""A platform for tests: chosen services in this process on real servers, reached only through the doors users use.

Owns its databases, stream, clock file and token issuer. Refuses a shortcut: no test talks to a service but by HTTP.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import nats
import uvicorn

from opsledger_runtime.auth import LocalIssuer
from opsledger_runtime.clock import OffsetClock
from opsledger_runtime.embedded.databases import app_role, create_databases, database_name, owner_role
from opsledger_runtime.embedded.processes import free_port
from opsledger_runtime.embedded.secrets import Secrets
from opsledger_runtime.http import build_app
from opsledger_runtime.moving import move_clock, quiet
from opsledger_runtime.provision import provision
from opsledger_runtime.running import Running, start
from opsledger_runtime.service import Service
from opsledger_runtime.settings import Settings


class Harness:
    """A running platform. `client(role)` speaks to it, `move_to` and `advance` move its clock."""

    def __init__(self, services: Sequence[Service], directory: Path, base_url: str, issuer: LocalIssuer) -> None:
        self.services = tuple(services)
        self.directory = directory
        self.base_url = base_url
        self.issuer = issuer
        self.clock_file = directory / "clock.json"
        self.clock = OffsetClock(self.clock_file)
        self.runnings: list[Running] = []
        self._clients: dict[tuple[str, str | None, tuple[str, ...] | None], httpx.AsyncClient] = {}

    def client(
        self, role: str, *, subject: str | None = None, organisations: Sequence[str] | None = None
    ) -> httpx.AsyncClient:
        """An HTTP client with a token of that role; a write waits for its position."""
        key = (role, subject, tuple(organisations) if organisations is not None else None)
        if key not in self._clients:
            token = self.issuer.token(role, subject=subject, organisations=organisations)
            headers = {"Authorization": f"Bearer {token}", "Prefer": "wait=5"}
            self._clients[key] = httpx.AsyncClient(base_url=self.base_url, headers=headers, timeout=30.0)
        return self._clients[key]

    async def statuses(self) -> list[dict[str, Any]]:
        """Every service's own report."""
        operator = self.client("operator")
        answers = await asyncio.gather(*(operator.get(f"/api/{s.context}/v1/status") for s in self.services))
        return [answer.raise_for_status().json() for answer in answers]

    async def quiet(self) -> None:
        """Wait until nothing is on its way between the services."""
        await quiet(self.statuses)

    async def move_to(self, target: datetime) -> None:
        """Move domain time forward, from due instant to due instant."""
        await move_clock(self.clock_file, target, self.statuses)

    async def advance(self, step: timedelta) -> None:
        """Move domain time forward by `step`."""
        await self.move_to(self.clock.now() + step)

    async def close(self) -> None:
        await asyncio.gather(*(client.aclose() for client in self._clients.values()))


async def fresh_databases(superuser_url: str, contexts: Sequence[str], secrets: Secrets) -> None:
    """Drop the contexts' databases and make them anew with their roles."""
    connection = await asyncpg.connect(superuser_url)
    try:
        for context in contexts:
            await connection.execute(f"drop database if exists {database_name(context)} with (force)")
    finally:
        await connection.close()
    await create_databases(superuser_url, contexts, secrets)


async def fresh_stream(nats_url: str, services: Sequence[Service], **credentials: str) -> None:
    """Delete the stream if there is one and provision it with every subscription's consumers."""
    client = await nats.connect(nats_url, **credentials)
    try:
        js = client.jetstream()
        for stream in await js.streams_info():
            await js.delete_stream(stream.config.name or "")
        await provision(js, {service.context: service.subscriptions for service in services})
    finally:
        await client.close()


def service_settings(
    service: Service, harness: Harness, superuser_url: str, nats_url: str, secrets: Secrets, **more: Any
) -> Settings:
    """Settings of a service on the harness's servers, with the roles of production."""

    def login(role: str) -> str:
        found = urlsplit(superuser_url)
        host = found.netloc.rsplit("@", 1)[-1]
        where = found._replace(
            netloc=f"{role}:{secrets.password(role)}@{host}", path=f"/{database_name(service.context)}"
        )
        return where.geturl()

    return Settings(
        context=service.context,
        environment="test",
        installation="test",
        database_url=login(app_role(service.context)),
        owner_database_url=login(owner_role(service.context)),
        nats_url=nats_url,
        jwks_file=harness.directory / "jwks.json",
        clock_file=harness.clock_file,
        **more,
    )


@asynccontextmanager
async def platform(
    services: Sequence[Service],
    directory: Path,
    *,
    postgres_url: str,
    nats_url: str,
    settings: Mapping[str, Any] | None = None,
) -> AsyncIterator[Harness]:
    """Start the services together in this process on fresh databases and a fresh stream."""
    issuer = LocalIssuer.load_or_create(directory / "issuer.json")
    issuer.write_jwks(directory / "jwks.json")
    secrets = Secrets.open(directory / "secrets.json")
    port = free_port()
    harness = Harness(services, directory, f"http://127.0.0.1:{port}", issuer)
    await fresh_databases(postgres_url, [service.context for service in services], secrets)
    await fresh_stream(nats_url, services)
    async with AsyncExitStack() as stack:
        for service in services:
            found = service_settings(service, harness, postgres_url, nats_url, secrets, **(settings or {}))
            harness.runnings.append(await stack.enter_async_context(start(service, found)))
        config = uvicorn.Config(
            build_app(harness.runnings), host="127.0.0.1", port=port, log_config=None, lifespan="on"
        )
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined] # the test runner's own stay
        serving = asyncio.create_task(server.serve())
        try:
            while not server.started:
                if serving.done():
                    serving.result()
                await asyncio.sleep(0.01)
            yield harness
        finally:
            await harness.close()
            server.should_exit = True
            await serving
