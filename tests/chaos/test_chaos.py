"""The storm in a minute, and the proof that its checker would find what it looks for."""

import os
from pathlib import Path

import pytest
from tests.chaos.aimed import AIMS, aimed
from tests.chaos.faults import schedule
from tests.chaos.report import lines
from tests.chaos.run import Plan, run

SEED = int(os.environ.get("SEED", "7"))
SECONDS = 38.0
TRIES = 3
"""A server that is killed between two batches, and not within one, shows nothing of some bugs: then once more."""


async def test_nothing_is_lost_doubled_or_false_while_everything_is_killed(tmp_path: Path) -> None:
    report = await run(Plan(SEED, SECONDS, schedule(SEED, SECONDS)), tmp_path, print)
    assert report.clean, "\n".join(lines(report))
    assert report.journal.count("acknowledged") > 50
    assert report.names["SLABreached"] > 5
    assert report.mails > 20


@pytest.mark.parametrize("bug", AIMS)
async def test_a_planted_bug_is_caught(bug: str, tmp_path: Path) -> None:
    for seed in range(SEED, SEED + TRIES):
        folder = tmp_path / str(seed)
        folder.mkdir()
        report = await run(aimed(bug, seed), folder, print)
        if any(report.complaints[check] for check in AIMS[bug].caught_by):
            return
    pytest.fail("\n".join(lines(report)), pytrace=False)
