"""`opsledger apply` and `opsledger export` as a person runs them beside a running platform."""

import asyncio
import os
import pty
import sys
from pathlib import Path
from typing import NamedTuple

from opsledger_runtime.testing.harness import Harness

OPSLEDGER = Path(sys.executable).with_name("opsledger")


class Ended(NamedTuple):
    """How a command ended, and what it said on standard output and standard error."""

    code: int
    said: str
    complained: str


async def opsledger(
    platform: Harness | None, *arguments: str, given: str | None = None, typed: str | None = None, **environ: str
) -> Ended:
    """Run it with the platform's address and data folder. `given`: standard input; `typed`: the same on a terminal."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OPSLEDGER_") and key != "LANG"}
    if platform is not None:
        kept |= {"OPSLEDGER_URL": platform.base_url, "OPSLEDGER_DATA_DIR": str(platform.directory)}
    ours, theirs = pty.openpty()
    try:
        if typed is not None:
            os.write(ours, typed.encode())
        process = await asyncio.create_subprocess_exec(
            *(str(OPSLEDGER), *arguments),
            env={**kept, **environ},
            stdin=theirs if typed is not None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, complained = await asyncio.wait_for(
            process.communicate((given or "").encode() if typed is None else None), 60
        )
    finally:
        os.close(ours)
        os.close(theirs)
    return Ended(process.returncode or 0, said.decode(), complained.decode())
