"""Programs of ours as processes of their own: started, signalled by pid, started again after they died.

They die with whoever started them, even where that is killed outright.
"""

import asyncio
import ctypes
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx

from opsledger_runtime.clock import monotonic
from opsledger_runtime.embedded.processes import free_port

_LIBC: Final = ctypes.CDLL(None)
_PR_SET_PDEATHSIG: Final = 1
_READY_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.02


class NotReady(RuntimeError):
    """A service did not become ready; carries the end of its log."""


def _die_with_us() -> None:
    """Works for what is started from the main thread."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A program with a log of its own; `start` may be called again after it died."""

    def __init__(self, name: str, command: Sequence[str], environ: Mapping[str, str] | None, log: Path) -> None:
        self.name = name
        self.log = log
        self.started = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._command = list(command)
        self._environ = environ

    @property
    def pid(self) -> int:
        """Of the one started last.

        Raises:
            RuntimeError: it was never started.
        """
        if self.process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self.process.pid

    def start(self) -> None:
        """Start it; what it writes is added to the log."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_us,
            )
        self.started += 1

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it lives."""
        if not self.dead():
            assert self.process is not None
            self.process.send_signal(number)

    def dead(self) -> bool:
        """Whether it was never started, or has ended."""
        return self.process is None or self.process.poll() is not None

    def stop(self, timeout: float = 20.0) -> bool:
        """Wake it, ask it to stop, wait; kill it when it does not. Returns whether it stopped by itself."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        if self.process is None:
            return True
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

    def kill(self) -> None:
        """End it outright."""
        if self.process is not None and not self.dead():
            self.process.kill()
            self.process.wait(5)

    def lines(self) -> list[str]:
        """Its log so far."""
        return self.log.read_text(errors="replace").splitlines()


class ServiceProcess(Process):
    """`opsledger run <context>`, reached over HTTP."""

    def __init__(self, name: str, context: str, environ: Mapping[str, str], log: Path) -> None:
        self.context = context
        self.port = free_port()
        command = [str(Path(sys.executable).parent / "opsledger"), "run", context]
        super().__init__(name, command, {**environ, "OPSLEDGER_PORT": str(self.port)}, log)

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        return f"http://127.0.0.1:{self.port}"

    async def ready(self) -> None:
        """Wait until it says that it can work.

        Raises:
            NotReady: it ended, or could not within a minute.
        """
        deadline = monotonic() + _READY_SECONDS
        async with httpx.AsyncClient(timeout=5.0, trust_env=False) as http:
            while True:
                try:
                    if (await http.get(f"{self.url}/readyz")).is_success:
                        return
                except httpx.HTTPError:
                    pass  # it does not listen yet
                if self.dead() or monotonic() > deadline:
                    raise NotReady(f"{self.name} is not ready:\n" + "\n".join(self.lines()[-30:]))
                await asyncio.sleep(_LOOK_SECONDS)
