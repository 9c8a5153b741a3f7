"""`opsledger apply` and `opsledger export` as a person runs them beside a running platform."""

import asyncio
import os
import pty
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from opsledger_runtime.testing.harness import Harness

OPSLEDGER = Path(sys.executable).with_name("opsledger")
_SECONDS = 60


class Ended(NamedTuple):
    """How a command ended, and what it said on standard output and standard error."""

    code: int
    said: str
    complained: str


async def opsledger(platform: Harness | None, *arguments: str, given: str = "", **environ: str) -> Ended:
    """Run it with the platform's address and data folder, and `given` as standard input."""
    process = await started(platform, arguments, asyncio.subprocess.PIPE, environ)
    said, complained = await asyncio.wait_for(process.communicate(given.encode()), _SECONDS)
    return Ended(process.returncode or 0, said.decode(), complained.decode())


async def opsledger_asking(
    platform: Harness, *arguments: str, answer: str, meanwhile: Callable[[], Awaitable[object]] | None = None
) -> Ended:
    """Run it on a terminal: wait for its question, do something meanwhile, then type the answer."""
    ours, theirs = pty.openpty()
    try:
        process = await started(platform, arguments, theirs, {})
        assert process.stdout is not None
        asked = await asyncio.wait_for(process.stdout.readuntil(b"?"), _SECONDS)
        if meanwhile is not None:
            await meanwhile()
        os.write(ours, answer.encode())
        said, complained = await asyncio.wait_for(process.communicate(), _SECONDS)
    finally:
        os.close(ours)
        os.close(theirs)
    return Ended(process.returncode or 0, (asked + said).decode(), complained.decode())


async def started(
    platform: Harness | None, arguments: tuple[str, ...], stdin: int, environ: dict[str, str]
) -> asyncio.subprocess.Process:
    """The process, whose output is piped."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OPSLEDGER_") and key != "LANG"}
    if platform is not None:
        kept |= {"OPSLEDGER_URL": platform.base_url, "OPSLEDGER_DATA_DIR": str(platform.directory)}
    return await asyncio.create_subprocess_exec(
        *(str(OPSLEDGER), *arguments),
        env={**kept, **environ},
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
