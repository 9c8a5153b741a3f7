"""A process that holds an embedded platform, for tests that kill it: `python holder.py <data folder>`.

Prints one JSON line when it is ready, or one with the sentence why it is not; stops at SIGTERM.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path

from opsledger_runtime.embedded.databases import Reader
from opsledger_runtime.embedded.platform import EmbeddedPlatform
from opsledger_runtime.embedded.problems import CannotStart

CONTEXTS = ("alpha", "beta")
DURABLES = {"alpha": ["alpha_watch_a", "alpha_watch_b"], "beta": ["beta_watch_a"]}
READER = Reader("bi_reader", "beta", "mart")


def platform(folder: Path) -> EmbeddedPlatform:
    """A platform with two contexts that mean nothing."""
    return EmbeddedPlatform(folder, CONTEXTS, DURABLES, reader=READER)


async def hold(folder: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    held = platform(folder)
    try:
        await held.start()
    except CannotStart as error:
        print(json.dumps({"cannot": error.sentence}), flush=True)
        return
    assert held.postgres.child is not None
    assert held.nats.child is not None
    pids = [held.postgres.child.pid, held.nats.child.pid]
    print(json.dumps({"pids": pids, "database": held.access("alpha").database_url}), flush=True)
    await stop.wait()
    await held.stop()


if __name__ == "__main__":
    asyncio.run(hold(Path(sys.argv[1])))
