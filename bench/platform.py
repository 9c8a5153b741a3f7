"""A platform of a case's own: Postgres and NATS from the wheels in a fresh folder, services as separate processes.

Owns the folder, the processes and their end. Reads what each process has used; knows no case.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import nats
from nats.aio.client import Client

from bench import measuring
from opsledger.services import CONTEXTS, services
from opsledger_runtime.auth import LocalIssuer
from opsledger_runtime.embedded.platform import Access, EmbeddedPlatform
from opsledger_runtime.migrations import MigrationSet, migrate
from opsledger_runtime.moving import quiet
from opsledger_runtime.provision import durable, provision
from opsledger_runtime.running import application_role
from opsledger_runtime.settings import Settings
from opsledger_runtime.testing.processes import ServiceProcess

_STOP_SECONDS: Final = 30.0


class Platform:
    """The servers of one folder, and services that are started and stopped by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known = {service.context: service for service in services()}
        durables = {
            context: [durable(context, s.name, side) for s in service.subscriptions for side in ("a", "b")]
            for context, service in self.known.items()
        }
        self.servers = EmbeddedPlatform(folder / "data", CONTEXTS, durables, die_with_parent=True)
        self.clock_file = folder / "clock.json"
        self._running: dict[str, ServiceProcess] = {}
        self._tokens: dict[str, str] = {}
        self._issuer: LocalIssuer | None = None

    async def open(self) -> None:
        """Start the servers, make databases and roles, make the stream and its consumers."""
        await self.servers.start()
        self._issuer = LocalIssuer.load_or_create(self.folder / "issuer.json")
        self._issuer.write_jwks(self.folder / "jwks.json")
        async with self.admin_nats() as client:
            await provision(client.jetstream(), {c: s.subscriptions for c, s in self.known.items()})

    async def close(self) -> None:
        """Services first, servers last. Safe after a start that failed half way."""
        try:
            await self.stop(*self._running)
        finally:
            await self.servers.stop()

    # Services

    async def start(self, *contexts: str, environ: Mapping[str, str] | None = None) -> None:
        """Start each as a process of its own, `opsledger run <context>`, and wait until it is ready.

        `environ` adds to or replaces the settings.

        Raises:
            NotReady: one ended or was not ready within a minute.
        """
        for context in contexts:
            given = {**self.environ(context), **(environ or {})}
            self._running[context] = ServiceProcess(context, context, given, self.folder / f"{context}.log")
            self._running[context].start()
        await asyncio.gather(*(self._running[context].ready() for context in contexts))

    async def stop(self, *contexts: str) -> None:
        """Ask each to stop and wait; one that does not is killed."""
        gone = [self._running.pop(context) for context in contexts if context in self._running]
        for one in gone:
            one.signal(signal.SIGTERM)
        await asyncio.gather(*(asyncio.to_thread(one.stop, _STOP_SECONDS) for one in gone))

    def complaints(self, lines: int = 5) -> list[str]:
        """The last warnings and errors in the logs of the running services."""
        found = []
        for one in self._running.values():
            told = [line for line in one.lines() if '"level":"warning"' in line or '"level":"error"' in line]
            found += [f"{one.context}: {line[:2000]}" for line in told[-lines:]]
        return found

    def environ(self, context: str) -> dict[str, str]:
        """The environment of a service's process, for starting one's own."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OPSLEDGER_")}
        return {**inherited, **self.settings(context).environ()}

    def settings(self, context: str) -> Settings:
        """The settings of a service, for running parts of one in the benchmark's own process."""
        access = self.access(context)
        return Settings(
            context=context,
            environment="test",
            installation="bench",
            database_url=access.database_url,
            owner_database_url=access.owner_database_url,
            nats_url=access.nats_url,
            nats_user=access.nats_user,
            nats_password=access.nats_password,
            jwks_file=self.folder / "jwks.json",
            clock_file=self.clock_file,
            data_dir=self.folder,
        )

    def service_url(self, context: str) -> str:
        """Where a running service listens, without a path."""
        return self._running[context].url

    def service_pid(self, context: str) -> int:
        """The process of a running service, for a profiler."""
        return self._running[context].pid

    def token(self, role: str) -> str:
        """A token of the local issuer for that role; the same at every call."""
        if self._issuer is None:
            raise RuntimeError("the platform is not open")
        if role not in self._tokens:
            self._tokens[role] = self._issuer.token(role)
        return self._tokens[role]

    async def statuses(self) -> list[dict[str, Any]]:
        """What each running service says of itself."""
        headers = {"Authorization": f"Bearer {self.token('operator')}"}
        async with httpx.AsyncClient(timeout=10.0, headers=headers, trust_env=False) as http:

            async def one(context: str) -> dict[str, Any]:
                answer = await http.get(f"{self.service_url(context)}/api/{context}/v1/status")
                found: dict[str, Any] = answer.raise_for_status().json()
                return found

            return list(await asyncio.gather(*map(one, self._running)))

    async def quiet(self, timeout: float = 60.0) -> None:
        """Wait until every running service has published and applied everything.

        Raises:
            NotQuiet: something was still on its way after `timeout` seconds.
        """
        await quiet(self.statuses, timeout)

    # Servers

    def access(self, context: str) -> Access:
        """URLs and credentials of one context."""
        return self.servers.access(context)

    def superuser_url(self, context: str) -> str:
        """A superuser's URL of a context's database, for what no role of ours may do."""
        return self.servers.postgres.url(self.access(context).database_url.rsplit("/", 1)[1])

    async def migrate(self, *contexts: str) -> None:
        """Make the tables of services that are not started."""
        for context in contexts:
            access = self.access(context)
            schemas = self.known[context].schemas or (context,)
            sets = [MigrationSet("opsledger_runtime", ("es",)), MigrationSet(context, schemas)]
            await migrate(access.owner_database_url, sets, application_role(access.database_url))

    @asynccontextmanager
    async def database(self, context: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
        """An owner's connection with the service's search path."""
        schemas = self.known[context].schemas or (context,)
        connection = await asyncpg.connect(
            self.access(context).owner_database_url,
            server_settings={"search_path": ", ".join((*schemas, "es")), "timezone": "UTC"},
        )
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def admin_nats(self) -> AsyncIterator[Client]:
        """The bus administrator's connection: may read and write everything, make streams and consumers."""
        url, user, password = self.servers.admin()
        client = await nats.connect(url, user=user, password=password, connect_timeout=5, allow_reconnect=False)
        try:
            yield client
        finally:
            await client.close()

    # What they use

    def pids(self) -> dict[str, int]:
        """The first process of each running service and server, by name."""
        found = {context: one.pid for context, one in self._running.items()}
        for name, server in (("postgres", self.servers.postgres), ("nats", self.servers.nats)):
            if server.child is not None:
                found[name] = server.child.pid
        return found

    def cpu(self) -> dict[str, float]:
        """Cumulative processor seconds of each process tree, by name of service or server."""
        return {name: measuring.cpu_seconds(pid) for name, pid in self.pids().items()}

    def resident(self) -> dict[str, float]:
        """Proportional set size of each process tree in MiB."""
        return {name: measuring.resident_mib(measuring.tree(pid)) for name, pid in self.pids().items()}
