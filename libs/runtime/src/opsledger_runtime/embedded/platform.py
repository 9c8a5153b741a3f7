"""Postgres, NATS, databases, roles and users of one installation, started together and stopped last.

Owns the order of those steps. Refuses to know what the contexts mean; they come as names.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from opsledger_runtime.embedded import databases
from opsledger_runtime.embedded.databases import Reader
from opsledger_runtime.embedded.folder import DataFolder
from opsledger_runtime.embedded.nats import EmbeddedNats
from opsledger_runtime.embedded.permissions import ADMIN
from opsledger_runtime.embedded.postgres import EmbeddedPostgres
from opsledger_runtime.embedded.problems import CannotStart, os_problem
from opsledger_runtime.embedded.processes import Child
from opsledger_runtime.embedded.secrets import Secrets

_ATTEMPTS: Final = 3
"""Between finding a free port and listening on it somebody else may take it."""

_WATCH_SECONDS: Final = 1.0


class _Server(Protocol):
    port: int
    child: Child | None

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def end_leftovers(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Access:
    """How one context reaches its servers."""

    database_url: str
    owner_database_url: str
    nats_url: str
    nats_user: str
    nats_password: str


class EmbeddedPlatform:
    """The servers of one data folder.

    `durables` lists each context's consumers on the bus by name. `progress` gets a sentence after each step.
    `die_with_parent` is for tests only.
    """

    def __init__(
        self,
        data_dir: Path,
        contexts: Sequence[str],
        durables: Mapping[str, Sequence[str]],
        *,
        reader: Reader | None = None,
        progress: Callable[[str], None] = lambda _: None,
        die_with_parent: bool = False,
    ) -> None:
        self.folder = DataFolder(data_dir)
        self.contexts = tuple(contexts)
        self.reader = reader
        self._durables = {context: list(names) for context, names in durables.items()}
        self._progress = progress
        self._die = die_with_parent
        self._secrets: Secrets | None = None
        self._postgres: EmbeddedPostgres | None = None
        self._nats: EmbeddedNats | None = None

    async def start(self) -> None:
        """Lock the folder, start both servers side by side, make databases and roles.

        Raises:
            CannotStart: says why and what to do; whatever had started is stopped again.
        """
        self.folder.lock()
        try:
            await self._start()
        except OSError as error:
            await self.stop()
            raise os_problem(error, f"use the data folder {self.folder.path}") from error
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        kept = self._secrets = Secrets.open(self.folder.path / "secrets.json")
        if not kept.file.exists() and (self.folder.path / "postgres" / "cluster").exists():
            raise CannotStart(
                f"{kept.file} is missing, and without it the data beside it cannot be opened. Put it back from a "
                "backup, or start afresh with another folder: OPSLEDGER_DATA_DIR=/path/to/folder."
            )
        users = (*self.contexts, ADMIN)
        passwords = {user: kept.password(f"nats:{user}") for user in users}
        superuser = kept.password("postgres")
        for context in self.contexts:
            kept.password(databases.owner_role(context))
            kept.password(databases.app_role(context))
        if self.reader is not None:
            kept.password(self.reader.role)
        kept.save()  # before anything knows them
        self._postgres = EmbeddedPostgres(self.folder.path / "postgres", 0, superuser, die_with_parent=self._die)
        self._nats = EmbeddedNats(self.folder.path / "nats", 0, passwords, self._durables, die_with_parent=self._die)
        await _both(
            asyncio.to_thread(self._start_server, "postgres", self._postgres),
            asyncio.to_thread(self._start_server, "nats", self._nats),
        )
        self._progress(f"Postgres listens on port {self._postgres.port}, NATS on port {self._nats.port}.")
        await databases.create_databases(self._postgres.url(), self.contexts, kept)
        if self.reader is not None:
            url = self._postgres.url(databases.database_name(self.reader.context))
            await databases.create_reader(url, self.reader, kept)
        self._progress("Databases and roles are ready: " + ", ".join(self.contexts) + ".")

    def _start_server(self, name: str, server: _Server) -> None:
        if server.end_leftovers():
            self._progress(f"An earlier run was killed and left its {name} server; it has been ended.")
        server.port = self.folder.port(name)
        for attempt in range(_ATTEMPTS):
            try:
                server.start()
            except CannotStart:
                if attempt == _ATTEMPTS - 1 or not _lost_its_port(server):
                    raise
                server.port = self.folder.another_port(name)
            else:
                return

    async def stop(self) -> None:
        """Stop both servers cleanly and let go of the folder. Safe to call again, and after a failed start."""
        servers: list[_Server] = [server for server in (self._nats, self._postgres) if server is not None]
        await asyncio.gather(*(asyncio.to_thread(server.stop) for server in servers))
        self.folder.unlock()

    async def watch(self, restarted: Callable[[str], None] = lambda _: None) -> None:
        """Start a server again that has died, until cancelled; on the same port, since everybody knows it."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            for name, server in (("Postgres", self.postgres), ("NATS", self.nats)):
                if server.child is not None and not server.child.alive():
                    restarted(name)
                    try:
                        await asyncio.to_thread(server.start)
                    except CannotStart as error:
                        restarted(f"{name} (not yet: {error.sentence})")

    @property
    def postgres(self) -> EmbeddedPostgres:
        assert self._postgres is not None, "not started"  # noqa: S101 - a use before start is a mistake in code
        return self._postgres

    @property
    def nats(self) -> EmbeddedNats:
        assert self._nats is not None, "not started"  # noqa: S101 - as above
        return self._nats

    @property
    def secrets(self) -> Secrets:
        assert self._secrets is not None, "not started"  # noqa: S101 - as above
        return self._secrets

    def access(self, context: str) -> Access:
        """URLs and credentials of one context."""
        return Access(
            database_url=self._url(databases.app_role(context), context),
            owner_database_url=self._url(databases.owner_role(context), context),
            nats_url=self.nats.url(),
            nats_user=context,
            nats_password=self.secrets.password(f"nats:{context}"),
        )

    def admin(self) -> tuple[str, str, str]:
        """URL, user and password of the bus's admin, who alone makes streams and consumers."""
        return self.nats.url(), ADMIN, self.secrets.password(f"nats:{ADMIN}")

    def reader_url(self) -> str | None:
        """The read-only login's URL, with its password."""
        return self._url(self.reader.role, self.reader.context) if self.reader is not None else None

    def _url(self, role: str, context: str) -> str:
        database = databases.database_name(context)
        return f"postgresql://{role}:{self.secrets.password(role)}@127.0.0.1:{self.postgres.port}/{database}"


def _lost_its_port(server: _Server) -> bool:
    return server.child is None or "address already in use" in server.child.log_tail().lower()


async def _both(*starts: Coroutine[Any, Any, None]) -> None:
    """Wait for all even when one fails or the wait is cancelled: a thread that starts a server cannot be cancelled."""
    tasks = [asyncio.create_task(start) for start in starts]
    try:
        await asyncio.wait(tasks)
    except asyncio.CancelledError:
        await asyncio.wait(tasks)
        raise
    for task in tasks:
        task.result()
