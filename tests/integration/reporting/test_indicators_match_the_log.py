"""Every indicator that a log of ServiceNow incidents can feed, against the same computed from its lines."""

from collections.abc import AsyncIterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.support.histories import LISBON, LOGS, REAL, rows_of, stories
from tests.support.mart import apply
from tests.support.reporting_doors import Reporting, reporting_doors
from tests.support.servicenow_log import expected, read_log
from tests.support.stories import Story, batches

from opsledger_events import Envelope
from reporting.domain.indicators import INDICATORS

_SHANGHAI = ZoneInfo("Asia/Shanghai")
LOG = LOGS[-1]
"""The real one where it lies, else the small invented one."""

MONTHS = [datetime(2016 + at // 12, at % 12 + 1, 1, tzinfo=LISBON) for at in range(19)]
NAMES = (
    "mtta",
    "mttr",
    "first-contact-resolution",
    "reopen-rate",
    "reassignment-rate",
    "repeat-rate",
    "major-incidents",
    "backlog-growth",
    "backlog",
)


def envelopes(path: Path) -> list[Envelope]:
    """What an import announces of the log, incident by incident."""
    found = Story()
    rows, _ = rows_of(path.read_bytes())
    for story in stories(rows):
        for step in story.steps:
            for event in step.events:
                found.tell(story.incident, event, step.at, None)
    return found.envelopes


@pytest.fixture
async def reporting(database: str, tmp_path: Path) -> AsyncIterator[Reporting]:
    async with reporting_doors(database, tmp_path) as found:
        await apply(found.store, batches(envelopes(LOG), 1, 500))
        yield found


async def test_indicators_match_the_log(reporting: Reporting) -> None:
    rows = read_log(LOG)
    months = list(pairwise(MONTHS))
    by_month = [expected(rows, begins, ends) for begins, ends in months]
    whole = expected(rows, MONTHS[0], MONTHS[-1])
    window = {"begins": "2016-01-01", "to": "2017-06-30", "time_zone": "Europe/Lisbon"}
    for name in NAMES:
        answer = await reporting.figures(name, **window, group_by="month")
        found = [(row["numerator"], row["denominator"] or 0) for row in answer["rows"]]
        assert found == [wanted.get(name, (0, 0)) for wanted in by_month], name
        if INDICATORS[name].moment == "period":
            row = (await reporting.figures(name, **window))["rows"][0]
            assert (row["numerator"], row["denominator"] or 0) == whole.get(name, (0, 0)), name
            if name not in ("repeat-rate", "backlog-growth"):  # which look beyond a priority, or at one that was
                parts = (await reporting.figures(name, **window, group_by="priority"))["rows"]
                assert sum(part["numerator"] for part in parts) == row["numerator"]
                assert sum(part["denominator"] or 0 for part in parts) == (row["denominator"] or 0)
    if LOG == REAL:
        assert (len(rows), whole["mttr"][1], whole["reassignment-rate"][0]) == (4137, 600, 620)
        assert max(wanted["backlog"][0] for wanted in by_month) > 20


async def test_the_backlog_of_each_day_matches_the_log(reporting: Reporting) -> None:
    rows = read_log(LOG)
    table = await reporting.store.pool.fetch(
        "select local_date, sum(open_count) as open from fact_backlog_daily group by 1 order by 1"
    )
    assert len(table) > 100
    for row in table[:: max(1, len(table) // 40)]:
        ends = datetime(*row["local_date"].timetuple()[:3], 23, 59, 59, 999999, tzinfo=_SHANGHAI)
        assert row["open"] == expected(rows, MONTHS[0], ends)["backlog"][0], row["local_date"]
