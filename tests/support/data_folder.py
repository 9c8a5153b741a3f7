"""Servers of a data folder without any service, and the commands that a person runs beside them."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from opsledger_runtime.embedded.platform import EmbeddedPlatform
from opsledger_runtime.migrations import MigrationSet, migrate
from opsledger_runtime.running import application_role

OPSLEDGER = Path(sys.executable).with_name("opsledger")


async def opsledger(*arguments: str, **environ: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OPSLEDGER_")}
    process = await asyncio.create_subprocess_exec(
        *(str(OPSLEDGER), *arguments),
        env={**kept, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, said.decode(), complained.decode()


@pytest.fixture(scope="module")
async def platform() -> AsyncIterator[EmbeddedPlatform]:
    """Servers of a data folder that this process has locked, as `opsledger up` does; no service runs."""
    parent = Path(tempfile.mkdtemp(prefix="opsledger-folder-"))
    os.chmod(parent, 0o711)  # noqa: S103 - a system user passes through to its own folder
    started = EmbeddedPlatform(parent / "data", ("incident",), {}, die_with_parent=True)
    await started.start()
    try:
        yield started
    finally:
        await started.stop()
        shutil.rmtree(parent, ignore_errors=True)


async def migrate_incident(platform: EmbeddedPlatform) -> None:
    """Make the tables of the incident service."""
    access = platform.access("incident")
    sets = [MigrationSet("opsledger_runtime", ("es",)), MigrationSet("incident", ("incident",))]
    await migrate(access.owner_database_url, sets, application_role(access.database_url))
