"""Child servers in a session of their own: start, pid file, stop, and what an earlier killed run left behind.

Owns pid files and signals. Refuses to signal a process by its number alone: its command line must name our files.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from opsledger_runtime.embedded.problems import CannotStart, os_problem
from opsledger_runtime.embedded.users import SystemUser

SERVERS: Final = ("postgres", "nats-server")
"""Names of the programs that are started here."""

_PR_SET_PDEATHSIG: Final = 1
_LOG_BYTES: Final = 10_000_000
"""A server's log is put aside once at start when it is larger than this."""


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
        return True


def _die_with_parent() -> Callable[[], None]:
    libc = ctypes.CDLL(None, use_errno=True)

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)

    return ask


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. `marker` is an argument that no other process has: the path of our configuration or data."""

    name: str
    command: tuple[str, ...]
    marker: str
    log: Path
    pid_file: Path
    stop_signal: signal.Signals
    user: SystemUser | None = None


class Child:
    """One running child server."""

    def __init__(self, program: Program, process: "subprocess.Popen[bytes]") -> None:
        self.program = program
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def log_tail(self, lines: int = 12) -> str:
        """The last lines of the server's log, for a sentence about what went wrong."""
        try:
            with self.program.log.open("rb") as log:
                log.seek(max(0, os.fstat(log.fileno()).st_size - 16_384))
                text = log.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def stop(self, timeout: float = 20.0) -> None:
        """Ask it to stop, wait, and kill it only when it does not. Safe to call again."""
        if self.alive():
            self._process.send_signal(self.program.stop_signal)
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
        self.program.pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """SIGKILL, for tests of what a crash leaves behind."""
        if self.alive():
            self._process.kill()
            self._process.wait(10)


def spawn(program: Program, *, die_with_parent: bool = False) -> Child:
    """Start it in a session of its own, so that a Ctrl-C at the terminal does not reach it before its users stop.

    `die_with_parent` is for tests only: there the kernel ends it with the thread that started it.

    Raises:
        CannotStart: the program cannot be executed or its files cannot be written.
    """
    command, user = program.command, program.user
    if user is not None and user.prefix:
        command, user = (*user.prefix, *command), None
    try:
        if program.log.exists() and program.log.stat().st_size > _LOG_BYTES:
            program.log.replace(program.log.with_suffix(".log.old"))
        with program.log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - the command is ours
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=_environment(),
                start_new_session=True,
                preexec_fn=_die_with_parent() if die_with_parent else None,
                user=user.uid if user else None,
                group=user.gid if user else None,
                extra_groups=[] if user else None,
            )
        scratch = program.pid_file.with_suffix(".new")
        scratch.write_text(json.dumps({"pid": process.pid, "marker": program.marker}))
        scratch.replace(program.pid_file)
    except OSError as error:
        raise os_problem(error, f"start {program.name}") from error
    return Child(program, process)


def _environment() -> dict[str, str]:
    """Nothing that would turn a child to other files: no PGDATA, PGPORT, LD_PRELOAD of the caller."""
    kept = {
        key: value for key, value in os.environ.items() if key in {"PATH", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "HOME"}
    }
    return {**kept, "LC_ALL": "C.UTF-8"}


def _is_ours(process: psutil.Process, marker: str) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE or marker not in process.cmdline():
            return False
        return process.name() in SERVERS  # somebody may be reading our files with another program
    except psutil.Error:
        return False


def leftovers(pid_file: Path, marker: str) -> list[psutil.Process]:
    """Servers that an earlier, killed run left behind: those whose command line names `marker`.

    The pid file is the short way; the search over all processes finds one whose pid file was never written.
    """
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, psutil.Error):
        process = psutil.Process(int(json.loads(pid_file.read_text())["pid"]))
        if _is_ours(process, marker):
            return [process]
    found = [process for process in psutil.process_iter() if _is_ours(process, marker)]
    ids = {process.pid for process in found}
    return [process for process in found if _parent(process) not in ids]


def _parent(process: psutil.Process) -> int | None:
    try:
        return int(process.ppid())
    except psutil.Error:
        return None


def end_leftovers(name: str, pid_file: Path, marker: str, stop_signal: signal.Signals, timeout: float = 20.0) -> int:
    """End what an earlier run left; returns how many there were.

    They are ended and not adopted: their configuration may be older than this program.

    Raises:
        CannotStart: one of them belongs to somebody else or does not die.
    """
    found = leftovers(pid_file, marker)
    for process in found:
        try:
            process.resume()  # a stopped process does not act on the next signal
            process.send_signal(stop_signal)
            try:
                process.wait(timeout)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(10)
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied as error:
            raise CannotStart(
                f"An earlier run left {name} running as process {process.pid}, which belongs to another user. "
                f"End it as that user or as root (kill -{stop_signal.value} {process.pid}) and start again."
            ) from error
        except psutil.TimeoutExpired as error:
            raise CannotStart(
                f"An earlier run left {name} running as process {process.pid} and it cannot be ended. "
                f"End it (kill -9 {process.pid}) and start again."
            ) from error
    pid_file.unlink(missing_ok=True)
    return len(found)


def wait_until(ready: Callable[[], bool], child: Child, timeout: float) -> None:
    """Wait until the server answers.

    Raises:
        CannotStart: it ended by itself or did not answer in time; carries the end of its log.
    """
    deadline = time.monotonic() + timeout
    while not ready():
        if not child.alive():
            raise CannotStart(f"{child.program.name} ended while starting. {_log_says(child)}")
        if time.monotonic() > deadline:
            raise CannotStart(f"{child.program.name} did not answer within {timeout:.0f} s. {_log_says(child)}")
        time.sleep(0.02)


def _log_says(child: Child) -> str:
    tail = child.log_tail()
    if "No space left on device" in tail:
        return "The disk is full: free some space and start again."
    return f"The end of its log, {child.program.log}, says:\n{tail}"


def run(command: Sequence[str], user: SystemUser | None, timeout: float) -> "subprocess.CompletedProcess[str]":
    """Run a server's tool to its end as the given user."""
    if user is not None and user.prefix:
        command, user = (*user.prefix, *command), None
    return subprocess.run(  # noqa: S603 - the command is ours
        command,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=timeout,
        check=False,
        cwd="/",
        env=_environment(),
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=[] if user else None,
    )
