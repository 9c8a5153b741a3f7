"""`python -m bench [CASE…]`: run cases, show how far they are, write their results.

Exit code 1 where something was lost, a case broke, or somebody stopped it. An aim that was missed is told, no error.
"""

import argparse
import asyncio
import sys
import traceback
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import uvloop

from bench import cases, results, sizes
from bench.bench import Bench
from bench.filled import Filled
from bench.measuring import Others, Stopwatch
from bench.results import CaseResult, Circumstances
from bench.sizes import Sizes
from opsledger.stopping import until_told
from opsledger.telling import Teller
from opsledger_runtime import logs
from opsledger_runtime.clock import machine_time
from opsledger_runtime.embedded import nats as embedded_nats
from opsledger_runtime.embedded import postgres as embedded_postgres
from opsledger_runtime.embedded.processes import run as run_tool

_MUCH = 0.05
"""Of the processors: a share that other programs take above which it is worth a word."""


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure each case beside its limit.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of: {', '.join(cases.NAMES)} (all if left out)")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see whether a case works; writes nothing")
    parser.add_argument("--size", action="append", default=[], metavar="NAME=VALUE", help="change one size")
    parser.add_argument("--list", action="store_true", help="show the cases and the sizes")
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="write results there")
    parser.add_argument("--folder", type=Path, metavar="FOLDER", help="data of the platforms goes below it")
    found = parser.parse_args(given)
    if unknown := [name for name in found.cases if name not in cases.NAMES]:
        parser.error(f"there is no case {', '.join(unknown)}; there are: {', '.join(cases.NAMES)}")
    try:
        found.sizes = sizes.chosen(sizes.quick() if found.quick else Sizes(), found.size)
    except ValueError as error:
        parser.error(str(error))
    return found


def _list() -> None:
    for name in cases.NAMES:
        sys.stdout.write(f"{name}\n")
    sys.stdout.write("\nSizes (--size name=value):\n")
    for field in fields(Sizes):
        sys.stdout.write(f"  {field.name}={field.default}\n")


def _circumstances(chosen: Sizes) -> Circumstances:
    postgres = run_tool([str(embedded_postgres.binaries() / "postgres"), "--version"], None, timeout=20).stdout
    nats = run_tool([str(embedded_nats.binary()), "--version"], None, timeout=20).stdout
    date = machine_time().strftime("%Y-%m-%d %H:%M UTC")
    versions = [text.split()[-1].removeprefix("v") if text.split() else "?" for text in (postgres, nats)]
    return Circumstances.now(date, versions[0], versions[1], sizes.changed(chosen))


async def _run(name: str, chosen: Sizes, tell: Teller, filled: Filled, folder: Path | None) -> CaseResult:
    result = CaseResult(name, "")
    bench = Bench(chosen, result, tell, filled, folder)
    others = Others()
    with Stopwatch() as watch:
        try:
            case = cases.case(name)
            result.limit = case.limit
            await case.run(bench)
        except Exception as error:  # the other cases still have something to say
            tell.line(traceback.format_exc())
            bench.fail([f"the case broke: {type(error).__name__}: {str(error)[:500]}"])
    result.seconds, result.others = watch.seconds, others.share()
    return result


async def _all(given: argparse.Namespace, tell: Teller, found: list[CaseResult]) -> None:
    circumstances = _circumstances(given.sizes)
    tell.line(circumstances.sentence())
    names = given.cases or cases.NAMES
    filled = Filled(given.folder)
    folder = given.results or (None if given.quick else results.FOLDER)
    try:
        for number, name in enumerate(names, 1):
            tell.line(f"{name} ({number} of {len(names)})")
            result = await _run(name, given.sizes, tell, filled, given.folder)
            tell.done(f"{name}: {result.seconds:.0f} s")
            if result.others > _MUCH:
                tell.line(f"  Other programs took {result.others:.0%} of the processors: the figures are worse for it.")
            found.append(result)
            if folder is not None:
                results.write(result, circumstances, folder)
    finally:
        await filled.remove()


def _told(found: Sequence[CaseResult], tell: Teller) -> int:
    for result in found:
        for what in result.missed:
            tell.line(f"Aim missed: {result.name}: {what}")
        for failure in result.failures:
            tell.line(f"Failed: {result.name}: {failure}")
    broken = any(result.failures for result in found)
    tell.settle(f"{len(found)} cases, {sum(result.seconds for result in found):.0f} s.")
    return int(broken)


def main(given: Sequence[str]) -> int:
    """Run what the arguments ask for; the exit code."""
    asked = _arguments(given)
    if asked.list:
        _list()
        return 0
    found: list[CaseResult] = []
    with Teller() as tell:

        async def work() -> None:
            await _all(asked, tell, found)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(until_told(work, lambda: tell.settle("Stopping …")))
        broken = _told(found, tell)
        return broken if len(found) == len(asked.cases or cases.NAMES) else 1


if __name__ == "__main__":
    logs.configure("critical")  # what the parts that run in this process say would stand between the figures
    sys.exit(main(sys.argv[1:]))
