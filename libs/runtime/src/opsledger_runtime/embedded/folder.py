"""The data folder: made, checked, locked for one run, and the ports it remembers."""

import contextlib
import fcntl
import json
import os
import shutil
import threading
from pathlib import Path
from typing import Final

from opsledger_runtime.embedded.problems import CannotStart, os_problem
from opsledger_runtime.embedded.processes import free_port, port_is_free

LEAST_FREE_BYTES: Final = 200_000_000
"""A fresh cluster and its first write-ahead files take about half of this."""


class DataFolder:
    """One installation's files on this machine. `lock` before anything else; `unlock` last."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None
        self._writing = threading.Lock()  # servers start in threads of their own

    def lock(self) -> None:
        """Make the folder if it is missing and take it for this run.

        The kernel lets go of the lock when this process ends, however it ends.

        Raises:
            CannotStart: it cannot be written, another run has it, or the disk is full.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            if os.geteuid() == 0:
                # Postgres runs as a system user then, and must pass through; what is secret inside is closed by itself.
                self.path.chmod(self.path.stat().st_mode & 0o7777 | 0o011)
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except (FileExistsError, NotADirectoryError) as error:
            raise CannotStart(
                f"The data folder {self.path} cannot be made: a file is in its place. Choose another folder with "
                "OPSLEDGER_DATA_DIR=/path/to/folder."
            ) from error
        except OSError as error:
            raise os_problem(error, f"write to the data folder {self.path}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise CannotStart(
                f"The data folder {self.path} is in use by another run of Opsledger (process {holder}). Stop that one "
                f"with Ctrl-C or `kill {holder}`, or give this one a folder and a port of its own: "
                "OPSLEDGER_DATA_DIR=/path/to/folder OPSLEDGER_PORT=8081."
            ) from error
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(descriptor)
            raise os_problem(error, f"write to the data folder {self.path}") from error
        self._lock = descriptor
        try:
            self._has_space()
        except CannotStart:
            self.unlock()
            raise

    def unlock(self) -> None:
        """Let another run have it. Safe to call again."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def in_use(self) -> bool:
        """Whether a run has the folder now.

        Raises:
            OSError: it cannot be read.
        """
        try:
            descriptor = os.open(self.path / "lock", os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def remembered(self, name: str) -> int | None:
        """The port that `name` had last, whoever sits on it."""
        return self._ports().get(name)

    def port(self, name: str) -> int:
        """The port that `name` had last time, or a free one if it had none or somebody else sits on it now."""
        ports = self._ports()
        port = ports.get(name)
        if port is None or not port_is_free(port):
            port = self.another_port(name)
        return port

    def another_port(self, name: str) -> int:
        """Choose a port anew and remember it."""
        with self._writing:
            ports = self._ports()
            port = free_port()
            while port in ports.values():
                port = free_port()
            scratch = self.path / "ports.new"
            scratch.write_text(json.dumps({**ports, name: port}))
            scratch.replace(self.path / "ports.json")
        return port

    def _ports(self) -> dict[str, int]:
        with contextlib.suppress(FileNotFoundError, ValueError, AttributeError):
            return {str(name): int(port) for name, port in json.loads((self.path / "ports.json").read_text()).items()}
        return {}

    def _has_space(self) -> None:
        free = shutil.disk_usage(self.path).free
        if free < LEAST_FREE_BYTES:
            raise CannotStart(
                f"The disk of the data folder {self.path} is full: {free // 1_000_000} MB are free and Opsledger needs "
                f"{LEAST_FREE_BYTES // 1_000_000} MB to start. Free some space, or choose another disk with "
                "OPSLEDGER_DATA_DIR=/path/to/folder."
            )
