"""A function in a process of its own on uvloop, so that what it costs is its own: load generators and limits.

`await run("bench.cases.command_limit:insert", {...})` calls `async def insert(**given)` there and gives back what it
returned, through JSON. `python -m bench.apart module:function` is the other end.
"""

import asyncio
import gc
import importlib
import json
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop


class Failed(RuntimeError):
    """The process ended with an error; carries the end of what it wrote."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the function returned, and the processor time of its process from its first line on."""

    value: Any
    cpu_seconds: float


async def run(function: str, given: dict[str, Any], *, timeout: float = 300.0) -> Outcome:
    """Call `function` (`module:name`) in a process of its own; `given` and the answer travel as JSON.

    The process is ended when the wait is cancelled.

    Raises:
        Failed: it raised.
        TimeoutError: it took longer than `timeout` seconds.
    """
    with TemporaryDirectory(prefix="opsledger-bench-") as folder:
        asked, answered = Path(folder, "asked.json"), Path(folder, "answered.json")
        asked.write_text(json.dumps(given))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.apart", function, str(asked), str(answered)),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(timeout):
                _, told = await process.communicate()
        except BaseException:
            if process.returncode is None:
                process.kill()
                await process.wait()
            raise
        if process.returncode != 0:
            raise Failed(f"{function}: {told.decode(errors='replace')[-2000:]}")
        answer = json.loads(answered.read_text())
        return Outcome(answer["value"], answer["cpu_seconds"])


def _main(function: str, asked: str, answered: str) -> None:
    module, _, name = function.partition(":")
    work = getattr(importlib.import_module(module), name)
    given = json.loads(Path(asked).read_text())
    gc.collect()
    gc.freeze()  # what is loaded now stays; the collector need not look at it again
    before = _cpu()
    value = uvloop.run(work(**given))
    used = _cpu() - before
    Path(answered).write_text(json.dumps({"value": value, "cpu_seconds": used}))


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    _main(*sys.argv[1:])
