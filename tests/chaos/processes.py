"""One process of the storm: started, signalled by its pid, started again a moment after it dies."""

import ctypes
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from opsledger_runtime.embedded.processes import free_port

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def _die_with_us() -> None:
    """Whoever kills the run outright leaves no services behind; they are started from its main thread."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A program of ours with its own port and log; `start` may be called again after it died."""

    def __init__(self, name: str, command: Sequence[str], environ: dict[str, str] | None, log: Path) -> None:
        self.name = name
        self.log = log
        self.started = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._command = list(command)
        self._environ = environ

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=self._environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_us,
            )
        self.started += 1

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def dead(self) -> bool:
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
            self.process.kill()
            self.process.wait(5)
            return False
        return True

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(5)


class Service(Process):
    """One service process, reached over HTTP."""

    def __init__(self, name: str, context: str, environ: dict[str, str], log: Path) -> None:
        self.context = context
        self.port = free_port()
        command = [str(Path(sys.executable).parent / "opsledger"), "run", context]
        super().__init__(name, command, {**environ, "OPSLEDGER_PORT": str(self.port)}, log)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"
