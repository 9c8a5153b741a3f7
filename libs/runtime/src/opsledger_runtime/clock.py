"""Two clocks: domain time, which may be moved, and machine time, which may not (D10).

The only module that reads the time of day.
"""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Domain time: when things happen."""

    def now(self) -> datetime:
        """The current instant in UTC."""
        ...


class SystemClock:
    """The time of day."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class FixedClock:
    """Stands still until told; for tests of one part."""

    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant


class OffsetClock:
    """The time of day plus an offset that a file states, so that separate processes move together.

    The file holds `{"offset_seconds": <float>}` and is replaced atomically by whoever moves the clock. For tests and
    the demonstration; settings refuse it in production.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stamp = -1
        self._offset = timedelta(0)

    def now(self) -> datetime:
        try:
            stamp = self._file.stat().st_mtime_ns
            if stamp != self._stamp:
                self._offset = timedelta(seconds=json.loads(self._file.read_text())["offset_seconds"])
                self._stamp = stamp
        except FileNotFoundError:
            self._offset, self._stamp = timedelta(0), -1
        return datetime.now(UTC) + self._offset


def set_offset(file: Path, offset: timedelta) -> None:
    """Move every `OffsetClock` that reads `file`."""
    scratch = file.with_suffix(".new")
    scratch.write_text(json.dumps({"offset_seconds": offset.total_seconds()}))
    scratch.replace(file)


def machine_time() -> datetime:
    """Real time of day, for token expiry and log lines; never for a domain fact."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that only grow, for leases and back-off."""
    return time.monotonic()
