"""What a case is given: sizes, platforms, a place to record, a way to say how far it is."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.filled import Filled
from bench.platform import Platform
from bench.results import CaseResult, Measurement, Table
from bench.sizes import Sizes
from opsledger.telling import Teller


class Bench:
    """One case's view of the run."""

    def __init__(
        self,
        sizes: Sizes,
        result: CaseResult,
        teller: Teller,
        filled: Filled | None = None,
        folder: Path | None = None,
    ) -> None:
        self.sizes = sizes
        self.result = result
        self._teller = teller
        self._filled = filled or Filled(folder)
        self._folder = folder

    @asynccontextmanager
    async def platform(self) -> AsyncIterator[Platform]:
        """A fresh platform: servers up, databases made, stream provisioned, no service started, no table yet.

        `async with bench.platform() as platform:`; its folder is removed at the end.
        """
        self.tell("starting Postgres and NATS")
        folder = Path(tempfile.mkdtemp(prefix="opsledger-bench-", dir=self._folder))
        folder.chmod(0o711)  # Postgres runs as a user of its own where we are root
        platform = Platform(folder)
        try:
            await platform.open()
            yield platform
        except Exception:
            self._complain(platform)
            raise
        finally:
            self.tell("stopping")
            await platform.close()
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    @asynccontextmanager
    async def filled(self, incidents: int) -> AsyncIterator[Platform]:
        """The one platform of this run that has a long history: at least so many incidents; servers up, no service.

        Other cases have used it or will, so leave it able to serve: add what you like, take nothing away.
        """
        self.tell("starting Postgres and NATS")
        async with self._filled.lend(incidents, self.tell) as platform:
            try:
                yield platform
            except Exception:
                self._complain(platform)
                raise
            self.tell("stopping")

    def _complain(self, platform: Platform) -> None:
        for complaint in platform.complaints():
            self._teller.line(f"  {complaint}")

    def tell(self, text: str) -> None:
        """What is done now."""
        self._teller.begin(f"{self.result.name}: {text} …")

    def record(self, measurement: Measurement) -> None:
        """Keep a row, and show it."""
        self.result.measurements.append(measurement)
        self._teller.line(f"  {sentence(measurement)}")

    def table(self, title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Keep a small table beside the measurements, such as cost by size."""
        self.result.tables.append(Table(title, list(head), [list(row) for row in rows]))

    def fail(self, failures: Iterable[str]) -> None:
        """Say what was lost or broken; a case with one such sentence has failed, whatever its figures."""
        for failure in failures:
            self.result.failures.append(failure)
            self._teller.line(f"  FAILED: {failure}")


def sentence(found: Measurement) -> str:
    """One measurement in one line."""
    parts = [f"{found.what}: {found.figure:,.4g} {found.unit}"]
    if found.limit is not None:
        parts.append(f"limit {found.limit:,.4g}")
    if found.ratio is not None:
        parts.append(f"ratio {found.ratio:.2f}")
    if found.p50_ms is not None:
        parts.append(f"p50 {found.p50_ms:.2f} ms")
    if found.p99_ms is not None:
        parts.append(f"p99 {found.p99_ms:.2f} ms")
    if found.cpu_ms is not None:
        parts.append(f"CPU {found.cpu_ms:.2f} ms/op")
    if found.memory_mib is not None:
        parts.append(f"{found.memory_mib:.0f} MiB")
    if found.met is not None:
        parts.append(f"aim {found.aim} {'met' if found.met else 'MISSED'}")
    return ", ".join(parts)
