"""Random secrets of an installation in one file, 0600, made once.

Owns `secrets.json`. Refuses to invent a second value for a name that has one: databases already know the first.
"""

import json
import os
import pwd
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from opsledger_runtime.embedded.problems import CannotStart


@dataclass
class Secrets:
    """Passwords by name."""

    file: Path
    passwords: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, file: Path) -> "Secrets":
        """Read the file, or begin a new one.

        Raises:
            CannotStart: it belongs to another user or cannot be understood.
            OSError: it cannot be read.
        """
        if not file.exists():
            return cls(file)
        owner = file.stat().st_uid
        if owner != os.geteuid():
            raise CannotStart(
                f"The data folder {file.parent} belongs to the user {_name(owner)}, and you are {_name(os.geteuid())}. "
                f"Start as {_name(owner)}, or choose a folder of yours with OPSLEDGER_DATA_DIR=/path/to/folder."
            )
        try:
            kept = json.loads(file.read_text())
            return cls(file, dict(kept["passwords"]))
        except (ValueError, KeyError, TypeError) as error:
            raise CannotStart(
                f"{file} is damaged, and without it the data cannot be opened. Put it back from a backup, or start "
                "afresh with another folder: OPSLEDGER_DATA_DIR=/path/to/folder."
            ) from error

    def password(self, name: str) -> str:
        """The password of that name, made at the first call. Letters, digits, `-` and `_` only."""
        if name not in self.passwords:
            self.passwords[name] = secrets.token_urlsafe(24)
        return self.passwords[name]

    def save(self) -> None:
        """Replace the file in one step, on the disk before the call returns."""
        scratch = self.file.with_suffix(".new")
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"passwords": self.passwords}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(self.file)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"number {uid}"
