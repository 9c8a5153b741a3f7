"""Services as separate processes on one NATS and one Postgres: started, kept alive, at rest, stopped."""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import nats
from tests.chaos.faults import PROCESSES
from tests.support.waiting import eventually

from opsledger.services import services
from opsledger_runtime.auth import LocalIssuer
from opsledger_runtime.embedded.platform import EmbeddedPlatform
from opsledger_runtime.embedded.processes import free_port
from opsledger_runtime.moving import quiet
from opsledger_runtime.provision import durable, provision
from opsledger_runtime.settings import Settings
from opsledger_runtime.testing.processes import Process, ServiceProcess

_RESTART_SECONDS = 0.5
_SINK_FAILS_EVERY = 13
"""Some mails are refused for now, so that waiting and trying again is part of every run."""

_FAST_MAIL = {
    "OPSLEDGER_NOTIFY_RETRY_SECONDS": "0,1,1,2,2,3,3,5,5,5,5,5,5",
    "OPSLEDGER_NOTIFY_SMTP_TIMEOUT": "3",
    "OPSLEDGER_NOTIFY_CLAIM_SECONDS": "6",
}


class Storm:
    """The platform in `directory`: `processes` of its services; `planted` names a bug that each is started with."""

    def __init__(
        self,
        directory: Path,
        planted: str | None = None,
        processes: Sequence[str] = PROCESSES,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.directory = directory
        self.mails = directory / "mails.jsonl"
        self.known = {service.context: service for service in services()}
        self.contexts = tuple(dict.fromkeys(name.split("-")[0] for name in processes))
        self.say = say
        self._planted = planted
        self._names = tuple(processes)
        durables = {
            context: [durable(context, s.name, side) for s in service.subscriptions for side in ("a", "b")]
            for context, service in self.known.items()
        }
        self.platform = EmbeddedPlatform(directory / "data", tuple(self.known), durables, die_with_parent=True)
        self.services: dict[str, ServiceProcess] = {}
        self.stubborn: list[str] = []
        self._sink: Process | None = None
        self._sink_port = free_port()
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Everything up and ready."""
        await self.platform.start()
        await self.provision()
        self.issuer = LocalIssuer.load_or_create(self.directory / "issuer.json")
        self.issuer.write_jwks(self.directory / "jwks.json")
        self.mails.touch()
        sink = [sys.executable, "-m", "opsledger_runtime.testing.smtp_sink", "--port", str(self._sink_port)]
        sink += ["--file", str(self.mails), "--fail-every", str(_SINK_FAILS_EVERY)]
        self._sink = Process("sink", sink, None, self.directory / "sink.log")
        self._sink.start()
        for name in self._names:
            context = name.split("-")[0]
            self.services[name] = ServiceProcess(name, context, self._environ(context), self.directory / f"{name}.log")
            self.services[name].start()
        self._keeper = asyncio.create_task(self._keep_alive())
        await eventually(self.all_ready, timeout=60.0, every=0.2)

    def _environ(self, context: str) -> dict[str, str]:
        access = self.platform.access(context)
        settings = Settings(
            context=context,
            environment="test",
            installation="chaos",
            database_url=access.database_url,
            owner_database_url=access.owner_database_url,
            nats_url=access.nats_url,
            nats_user=access.nats_user,
            nats_password=access.nats_password,
            jwks_file=self.directory / "jwks.json",
            planted_bug=self._planted,
        )
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OPSLEDGER_")}
        more = {"OPSLEDGER_NOTIFY_SMTP_URL": f"smtp://127.0.0.1:{self._sink_port}", **_FAST_MAIL}
        if self._planted:
            more["OPSLEDGER_PLANTED_BUG"] = self._planted
        return {**inherited, **settings.environ(), **more}

    async def provision(self) -> None:
        """Make the stream and its consumers, as the platform's bootstrap job does."""
        url, user, password = self.platform.admin()
        client = await nats.connect(url, user=user, password=password, connect_timeout=2, allow_reconnect=False)
        try:
            await provision(client.jetstream(), {c: self.known[c].subscriptions for c in self.known})
        finally:
            await client.close()

    async def _keep_alive(self) -> None:
        died: dict[str, float] = {}
        loop = asyncio.get_running_loop()
        while True:
            for service in self.services.values():
                if not service.dead():
                    died.pop(service.name, None)
                elif loop.time() - died.setdefault(service.name, loop.time()) >= _RESTART_SECONDS:
                    service.start()
            await asyncio.sleep(0.1)

    async def all_ready(self) -> bool:
        """Whether each process says that it is ready."""
        async with httpx.AsyncClient(timeout=2.0) as http:
            for service in self.services.values():
                try:
                    answer = await http.get(service.url + "/readyz")
                except httpx.HTTPError as error:
                    raise AssertionError(f"{service.name}: {error!r}") from error
                assert answer.status_code == 200, f"{service.name}: {answer.text[:300]}"
        return True

    async def statuses(self) -> list[dict[str, Any]]:
        """What each process says of itself, with the process's name."""
        headers = {"Authorization": f"Bearer {self.issuer.token('operator')}"}
        async with httpx.AsyncClient(timeout=5.0, headers=headers) as http:

            async def one(service: ServiceProcess) -> dict[str, Any]:
                answer = await http.get(f"{service.url}/api/{service.context}/v1/status")
                return {**answer.raise_for_status().json(), "process": service.name}

            return list(await asyncio.gather(*map(one, self.services.values())))

    async def rest(self, timeout: float) -> datetime:
        """Wait until every process is ready, nothing is on its way, and every delivery is settled.

        Returns the domain time up to which every timer was seen to have fired.

        Raises:
            AssertionError: it is not within `timeout` seconds; says what is still at work.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        await eventually(self.all_ready, timeout=timeout, every=0.3)
        return await eventually(self._rested, timeout=max(1.0, deadline - loop.time()), every=0.3)

    async def _rested(self) -> datetime:
        try:
            reports = await quiet(self.statuses, timeout=3.0)
            if "notify" in self.services:
                await self._deliveries_settled()
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(repr(error)) from error
        return min(datetime.fromisoformat(report["now"]) for report in reports)

    async def _deliveries_settled(self) -> None:
        headers = {"Authorization": f"Bearer {self.issuer.token('operator')}"}
        url = f"{self.services['notify'].url}/api/notify/v1/deliveries"
        async with httpx.AsyncClient(timeout=5.0, headers=headers) as http:
            for state in ("planned", "handing", "unknown"):
                answer = (await http.get(f"{url}?state={state}&limit=1")).raise_for_status().json()
                assert not answer["items"], f"a delivery is {state}"

    async def stop_services(self) -> None:
        """SIGTERM to all, so that the stores are read when nobody writes."""
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        running = list(self.services.values())
        ended = await asyncio.gather(*(asyncio.to_thread(service.stop) for service in running))
        self.stubborn += [service.name for service, itself in zip(running, ended, strict=True) if not itself]

    async def stop(self) -> None:
        """Everything down, children last. Safe after a start that failed half way."""
        try:
            await self.stop_services()
        finally:
            for service in self.services.values():
                service.kill()
            if self._sink is not None:
                await asyncio.to_thread(self._sink.stop, 5.0)
            await self.platform.stop()
