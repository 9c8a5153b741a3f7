"""Doing the faults of a schedule to the processes of a storm."""

import asyncio
import shutil
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

import psutil
from tests.chaos.faults import FREEZE_SECONDS, Fault
from tests.chaos.storm import Storm

from opsledger_runtime.embedded.nats import EmbeddedNats
from opsledger_runtime.embedded.postgres import EmbeddedPostgres
from opsledger_runtime.testing.processes import ServiceProcess

_STOPS_WITHIN_SECONDS = 25.0
_ANSWERS_WITHIN_SECONDS = 20.0
_TRIES = 20

Server = EmbeddedNats | EmbeddedPostgres


class Weather:
    """The faults of one run. `done` lists what was really done, `complaints` what it showed by itself."""

    def __init__(self, storm: Storm) -> None:
        self.done: list[Fault] = []
        self.begun = asyncio.Event()
        self.complaints: list[str] = []
        self._storm = storm
        self._locks = {"nats": asyncio.Lock(), "postgres": asyncio.Lock()}

    async def run(self, faults: Sequence[Fault], answered: Callable[[], int]) -> None:
        """Do each at its time; a long one does not hold up the next. Returns when the last has passed.

        `answered` counts the commands that were acknowledged so far. `begun` is set once the last fault is done.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        before = 0
        async with asyncio.TaskGroup() as group:
            for fault in faults:
                await asyncio.sleep(max(0.0, began + fault.after - loop.time()))
                latest = loop.time() + _ANSWERS_WITHIN_SECONDS
                while answered() < before + fault.answers and loop.time() < latest:  # noqa: ASYNC110 - a count, no event
                    await asyncio.sleep(0.02)
                before = answered()
                self._storm.say(f"{fault.after:6.1f} s  {fault.kind} {fault.target}")
                self.done.append(fault)
                group.create_task(self._do(fault))
            self.begun.set()

    async def _do(self, fault: Fault) -> None:
        target = fault.target
        if target in self._storm.services:
            await self._to_service(self._storm.services[target], fault)
        elif fault.kind == "freeze":
            await self._freeze_server(target)
        else:
            async with self._locks[target]:
                await self._to_server(target, fault)

    async def _to_service(self, service: ServiceProcess, fault: Fault) -> None:
        process = service.process
        if process is None or process.poll() is not None:
            return  # it is dead already
        if fault.kind == "kill":
            service.signal(signal.SIGKILL)
            return
        if fault.kind == "terminate":
            service.signal(signal.SIGTERM)
            await self._stops(service, process)
            return
        service.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(FREEZE_SECONDS)
        finally:
            if service.process is process:
                service.signal(signal.SIGCONT)

    async def _stops(self, service: ServiceProcess, process: object) -> None:
        deadline = asyncio.get_running_loop().time() + _STOPS_WITHIN_SECONDS
        while service.process is process and not service.dead():
            if _stopped(service):
                return  # another fault froze it meanwhile
            if asyncio.get_running_loop().time() > deadline:
                self.complaints.append(
                    f"{service.name}: asked to stop, still there {_STOPS_WITHIN_SECONDS:.0f} s later"
                )
                return
            await asyncio.sleep(0.1)

    async def _freeze_server(self, target: str) -> None:
        family = _family(self._server(target))
        _each(family, lambda process: process.suspend())
        try:
            await asyncio.sleep(FREEZE_SECONDS)
        finally:
            _each(family, lambda process: process.resume())

    async def _to_server(self, target: str, fault: Fault) -> None:
        server = self._server(target)
        assert server.child is not None
        if fault.kind == "terminate":
            _each(_family(server), lambda process: process.resume())
            await asyncio.to_thread(server.child.stop)
        else:
            _each(_family(server), lambda process: process.kill())
            await asyncio.to_thread(server.child.kill)
        if fault.kind == "wipe":
            shutil.rmtree(self._storm.platform.nats.folder / "jetstream")
        await asyncio.sleep(0.5)
        await self._again(target)

    async def _again(self, target: str) -> None:
        """Start the server as it was; its port may be taken by somebody's outgoing connection for a moment."""
        for attempt in range(_TRIES):
            try:
                await asyncio.to_thread(self._server(target).start)
                if target == "nats":
                    await self._storm.provision()
                return
            except Exception as error:
                if attempt == _TRIES - 1:
                    self.complaints.append(f"{target} did not start again: {error!r}")
                await asyncio.sleep(0.5)

    def _server(self, target: str) -> Server:
        return self._storm.platform.nats if target == "nats" else self._storm.platform.postgres


def _family(server: Server) -> list[psutil.Process]:
    if server.child is None or not server.child.alive():
        return []
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(server.child.pid)
        return [parent, *parent.children(recursive=True)]
    return []


def _each(family: Sequence[psutil.Process], act: Callable[[psutil.Process], None]) -> None:
    for process in family:
        with suppress(psutil.NoSuchProcess):
            act(process)


def _stopped(service: ServiceProcess) -> bool:
    try:
        return service.process is not None and psutil.Process(service.process.pid).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False
