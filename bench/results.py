"""What was measured, written as a table for people and as JSON for programs; the newest run of each case stays.

Names no machine and no path: only what the figures depend on.
"""

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent / "results"

_HEAD: Final = (
    "what",
    "figure",
    "limit",
    "ratio",
    "aim",
    "met",
    "p50 ms",
    "p99 ms",
    "CPU ms/op",
    "memory MiB",
    "note",
)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row. `figure` and `limit` are in `unit`; `ratio` is figure to limit; `cpu_ms` is per operation.

    `met` None: the aim is not one of this row, or there is none.
    """

    case: str
    what: str
    figure: float
    unit: str
    limit: float | None = None
    ratio: float | None = None
    aim: str = ""
    met: bool | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu_ms: float | None = None
    memory_mib: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A small table beside the measurements, such as cost by size."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(slots=True)
class CaseResult:
    """What one case found. `failures` are sentences: something was lost, or the case broke.

    `others`: the share of the processors, 0 to 1, that programs took which are not ours; NaN where it is not known.
    """

    name: str
    limit: str
    measurements: list[Measurement] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    others: float = math.nan

    @property
    def missed(self) -> list[str]:
        """What did not meet its aim."""
        return [found.what for found in self.measurements if found.met is False]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What figures depend on besides the code."""

    date: str
    cores: int
    memory_gib: float
    load_average: float
    python: str
    postgres: str
    nats: str
    sizes: dict[str, Any]

    @classmethod
    def now(cls, date: str, postgres: str, nats: str, sizes: dict[str, Any]) -> "Circumstances":
        """Read from this machine; `sizes` are those that differ from the defaults."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        cores = len(os.sched_getaffinity(0))
        load = round(os.getloadavg()[0], 2)
        return cls(date, cores, round(memory, 1), load, platform.python_version(), postgres, nats, sizes)

    def sentence(self) -> str:
        """One line for the head of a table."""
        sizes = ", ".join(f"{name}={value}" for name, value in self.sizes.items()) or "the defaults"
        return (
            f"{self.date}; {self.cores} cores, {self.memory_gib} GiB; Python {self.python}, Postgres {self.postgres}, "
            f"NATS {self.nats}; load average before it began {self.load_average}; sizes: {sizes}."
        )


def write(result: CaseResult, circumstances: Circumstances, folder: Path = FOLDER) -> None:
    """Write `<case>.md` and `<case>.json`, replacing those of an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{result.name}.md").write_text(markdown(result, circumstances))
    told = {**asdict(result), "circumstances": asdict(circumstances)}
    (folder / f"{result.name}.json").write_text(
        json.dumps(_plain(told), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    )


def markdown(result: CaseResult, circumstances: Circumstances) -> str:
    """The page of one case."""
    parts = [f"# {result.name}", "", f"Limit: {result.limit}", ""]
    if result.failures:
        parts += ["**Failed.**", "", *(f"- {failure}" for failure in result.failures), ""]
    if result.measurements:
        parts += [*_table(_HEAD, [_row(found) for found in result.measurements]), ""]
    for table in result.tables:
        rows = [[_cell(value) for value in row] for row in table.rows]
        parts += [f"## {table.title}", "", *_table(table.head, rows), ""]
    took = f"The case took {result.seconds:.0f} s"
    if math.isfinite(result.others):
        took += f", and other programs {result.others:.0%} of the processors meanwhile"
    parts += [f"{circumstances.sentence()} {took}.", ""]
    return "\n".join(parts)


def _row(found: Measurement) -> list[str]:
    met = {None: "", True: "yes", False: "**no**"}[found.met]
    limit = "" if found.limit is None else f"{_cell(found.limit)} {found.unit}"
    return [
        found.what,
        f"{_cell(found.figure)} {found.unit}",
        limit,
        _cell(found.ratio),
        found.aim,
        met,
        *map(_cell, (found.p50_ms, found.p99_ms, found.cpu_ms, found.memory_mib)),
        found.note,
    ]


def _cell(value: Any) -> str:
    """Three significant digits, no more: a run differs from the next by more than that."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if not math.isfinite(value):
        return "-"
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
