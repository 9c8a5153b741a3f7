"""`python -m tests.chaos --seconds N --seed S [--planted BUG]`: exits 1 on any complaint, 130 when interrupted."""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.aimed import aimed
from tests.chaos.faults import schedule
from tests.chaos.report import lines
from tests.chaos.run import Plan, run

from opsledger_runtime.planted import PlantedBug

_BEGAN = time.monotonic()


def _say(text: str) -> None:
    print(text, flush=True)


def _tell(text: str) -> None:
    _say(f"[{time.monotonic() - _BEGAN:5.1f}] {text}")


async def _main(plan: Plan, directory: Path) -> int:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    report = await run(plan, directory, _tell)
    _say("\n".join(["", f"Chaos for {plan.seconds:.0f} s with seed {plan.seed}", *lines(report)]))
    return 0 if report.clean else 1


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kill everything under load; check.")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="how long the load goes on (a planted bug has its own)"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--planted", choices=[bug.value for bug in PlantedBug], help="prove that a bug is caught")
    parser.add_argument("--keep", action="store_true", help="keep the folder with data and logs")
    chosen = parser.parse_args()
    if chosen.planted:
        plan = aimed(chosen.planted, chosen.seed)
    else:
        plan = Plan(chosen.seed, chosen.seconds, schedule(chosen.seed, chosen.seconds))
    directory = Path(tempfile.mkdtemp(prefix="opsledger-chaos-"))
    directory.chmod(0o755)
    code = 1
    try:
        code = asyncio.run(_main(plan, directory))
    except asyncio.CancelledError:
        code = 130
    finally:
        if code == 0 and not chosen.keep:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            _say(f"Data and logs are in {directory}")
    return code


if __name__ == "__main__":
    sys.exit(main())
