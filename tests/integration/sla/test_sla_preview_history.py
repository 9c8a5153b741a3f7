"""Three agreements over a log of another desk, compared with what the log says of its own: docs/sla-preview.md."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support.histories import INVENTED, LOGS, NOW, REAL
from tests.support.made_sla import CALENDARS, OFFICE_HOURS, agreeing, closest, lives, made_sla, told
from tests.support.service_levels import BASE, ServiceLevels

from sla.seed import DEFAULT_AGREEMENT

PATH = f"{BASE}/agreements/{DEFAULT_AGREEMENT}/preview?period=month&time_zone=Europe/Lisbon&limit=200"
AGREEING: dict[Path, tuple[int, int, int]] = {INVENTED: (9, 10, 10), REAL: (378, 482, 593)}
"""Incidents on which the three agree with the log: 24×7 with the default targets, office hours, the closest."""


async def imported(levels: ServiceLevels, log: bytes) -> int:
    """Told as an import is; how many incidents there are."""
    levels.running.clock.instant = NOW
    incidents = list(told(log).values())
    for first in range(0, len(incidents), 50):
        await levels.hand_over(*(one for events in incidents[first : first + 50] for one in events))
    return len(incidents)


async def previewed(levels: ServiceLevels, body: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The first answer, and the changes of all pages."""
    first = page = (await levels.http.post(PATH, json=body)).raise_for_status().json()
    changes = list(first["items"])
    while page["next"]:
        page = (await levels.http.post(f"{PATH}&cursor={page['next']}", json=body)).raise_for_status().json()
        changes += page["items"]
    return first, changes


async def verdicts(levels: ServiceLevels) -> dict[tuple[str, str], str]:
    """In fact, by number and metric."""
    rows = await levels.running.pool.fetch("select number, metric, met, breached_at from clock")
    return {
        (row["number"], row["metric"]): "met" if row["met"] else "breached" if row["breached_at"] else "running"
        for row in rows
    }


def added(counts: Sequence[dict[str, Any]], side: str) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for count in counts:
        for verdict, clocks in count[side].items():
            key = (count["metric"], verdict)
            found[key] = found.get(key, 0) + clocks
    return found


@pytest.mark.parametrize("log", LOGS, ids=str)
async def test_three_agreements_over_a_real_history(levels: ServiceLevels, log: Path) -> None:
    content = await asyncio.to_thread(log.read_bytes)
    made = made_sla(content)
    incidents = await imported(levels, content)
    assert incidents == len(made)
    held = await levels.get(f"/agreements/{DEFAULT_AGREEMENT}")
    default = {name: held[name] for name in ("name", "calendar", "targets", "pausing_reasons", "warning_percent")}
    fitted = closest(lives(content).values(), CALENDARS["24×7"], (), NOW)
    before = await verdicts(levels)
    found = []
    for body in (
        default,
        {**default, "calendar": OFFICE_HOURS},
        {**default, "targets": fitted.targets, "pausing_reasons": []},
    ):
        answer, changes = await previewed(levels, body)
        assert (answer["incidents"], answer["truncated"]) == (incidents, False)
        assert sum(count["changed"] for count in answer["counts"]) == len(changes)
        was, would = added(answer["counts"], "before"), added(answer["counts"], "after")
        for metric in ("response", "resolution"):
            for counts in (was, would):
                assert sum(clocks for key, clocks in counts.items() if key[0] == metric) == incidents
        for one in changes:
            was[one["metric"], one["before"]["verdict"]] -= 1
            was[one["metric"], one["after"]["verdict"]] += 1
        assert was == would
        after = before | {(one["number"], one["metric"]): one["after"]["verdict"] for one in changes}
        found.append(sum((after[number, "resolution"] == "met") == kept for number, kept in made.items()))
        if body is default:
            assert changes == []
    assert found[2] == agreeing(lives(content).values(), fitted, CALENDARS["24×7"], NOW)
    assert tuple(found) == AGREEING[log]
