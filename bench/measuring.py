"""Percentiles, durations, and what a tree of processes has used, read from /proc."""

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil

_TICKS: Final = os.sysconf("SC_CLK_TCK")


def percentile(values: Sequence[float], q: float) -> float:
    """The value that a share `q` (0 to 1) of the values does not exceed: nearest rank; NaN of none.

    >>> percentile([1, 2, 3, 4], 0.5)
    2
    """
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -int(-q * len(ordered) // 1) - 1))]


class Stopwatch:
    """`with Stopwatch() as watch: …`, then `watch.seconds`; while it runs, the seconds so far."""

    def __init__(self) -> None:
        self._begun = self._ended = 0.0

    def __enter__(self) -> Self:
        self._begun, self._ended = time.monotonic(), 0.0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = time.monotonic()

    @property
    def seconds(self) -> float:
        return (self._ended or time.monotonic()) - self._begun


def tree(pid: int) -> list[int]:
    """The process and all that descend from it; empty when it is gone."""
    try:
        process = psutil.Process(pid)
        return [pid, *(child.pid for child in process.children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(pid: int) -> float:
    """Processor time of a process, its descendants, and those that ended and were waited for; cumulative."""
    return sum(_used(member) for member in tree(pid))


def _used(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0  # it ended meanwhile; its parent has its time after the wait
    fields = text[text.rindex(")") + 2 :].split()
    return sum(map(int, fields[11:15])) / _TICKS


def resident_mib(pids: Iterable[int]) -> float:
    """Proportional set size in MiB: a page that several share counts once over all of them."""
    return sum(_proportional(pid) for pid in pids) / 1024


def _proportional(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass  # it ended meanwhile
    return 0


class Others:
    """How much of the processors programs that are not ours take, from the making of this object on."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._busy, self._own = _machine_seconds(), cpu_seconds(os.getpid())

    def share(self) -> float:
        """0 to 1, of all cores. Ours are this process, what it started, and what that started."""
        everybody = _machine_seconds() - self._busy
        own = cpu_seconds(os.getpid()) - self._own
        whole = (time.monotonic() - self._begun) * (os.cpu_count() or 1)
        return min(1.0, max(0.0, (everybody - own) / whole)) if whole > 0 else 0.0


def _machine_seconds() -> float:
    """Processor time of all programs since the machine started, without waiting for disks."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def used(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """What was used between two readings, by name."""
    return {name: value - before.get(name, 0.0) for name, value in after.items()}
