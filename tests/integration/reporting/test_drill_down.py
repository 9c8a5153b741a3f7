"""From a figure to the incidents behind it, and from an incident to its events."""

import io
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.behind import rows_behind
from tests.support.mart import apply
from tests.support.reporting_doors import Reporting, reporting_doors
from tests.support.stories import START, Story, batches, interleaved, opened, random_story

from opsledger_events.contexts import incident as i
from reporting.domain.indicator import Indicator
from reporting.domain.indicators import INDICATORS

WINDOW = {"from": "2026-10-05", "to": "2026-11-15"}


@pytest.fixture
async def reporting(database: str, tmp_path: Path) -> AsyncIterator[Reporting]:
    async with reporting_doors(database, tmp_path) as found:
        yield found


def window(indicator: Indicator, group: str = "none") -> dict[str, Any]:
    if indicator.moment == "period" or (indicator.moment == "instant" and group == "week"):
        return dict(WINDOW)
    return {"at": "2026-10-20T00:00:00Z"} if indicator.moment == "instant" else {}


@pytest.mark.parametrize("seed", [71, 72, 73])
async def test_each_figure_is_the_sum_of_the_rows_behind_it(reporting: Reporting, seed: int) -> None:
    story = random_story(seed, 50)
    await apply(reporting.store, batches(interleaved(story, seed), seed, 60))
    seen: dict[str, int] = {}
    for name, indicator in INDICATORS.items():
        groups = ["none", *indicator.groups, *([] if indicator.moment == "now" else ["week"])]
        for group in groups:
            params = {**window(indicator, group), "group_by": group}
            answer = await reporting.get(f"/indicators/{name}", params=params)
            assert answer.status_code == 200, answer.text
            for row in answer.json()["rows"]:
                behind = await rows_behind(reporting, row["incidents"])
                assert sum(one["numerator"] for one in behind) == row["numerator"], (name, group, row)
                wanted = 0 if row["denominator"] is None else row["denominator"]
                assert sum(one["denominator"] or 0 for one in behind) == wanted, (name, group, row)
                seen[name] = seen.get(name, 0) + len(behind)
    assert {name for name in INDICATORS if not seen.get(name)} <= {"sla-at-risk"}


async def test_a_figure_of_a_week_is_found_by_its_own_parameters_and_the_group(reporting: Reporting) -> None:
    await apply(reporting.store, [random_story(74, 60).envelopes])
    params = {**WINDOW, "group_by": "week"}
    rows = (await reporting.get("/indicators/mttr", params=params)).json()["rows"]
    row = max(rows, key=lambda found: found["denominator"])
    items = await reporting.get("/indicators/mttr/incidents", params={**params, "group": row["group"], "limit": 200})
    assert len(items.json()["items"]) == row["denominator"] > 0
    wrong = await reporting.get("/indicators/mttr/incidents", params={**params, "group": "2031-W01"})
    assert wrong.status_code == 422


async def test_incident_leads_to_its_events(reporting: Reporting) -> None:
    story = Story()
    told = [
        story.tell("a", opened(1, team="network"), START),
        story.tell("a", i.IncidentStarted(assignee="person-3"), START + timedelta(minutes=5)),
        story.tell("a", i.IncidentResolved(responsibility="provider", resolution="x"), START + timedelta(hours=1)),
    ]
    await apply(reporting.store, [story.envelopes])
    first = (await reporting.get("/incidents/INC0000001/events", params={"limit": 2})).json()
    rest = (await reporting.get("/incidents/a/events", params={"limit": 2, "cursor": first["next"]})).json()
    found = first["items"] + rest["items"]
    assert rest["next"] is None
    assert [row["event_id"] for row in found] == [str(envelope.id) for envelope in told]
    assert [row["state_after"] for row in found] == ["new", "in_progress", "resolved"]
    assert [row["seconds_since_previous"] for row in found] == [None, 300, 3300]
    assert {row["actor"] for row in found} == {"person-1"}
    assert datetime.fromisoformat(found[1]["occurred_at"]) == START + timedelta(minutes=5)


async def test_nobody_sees_rows_or_events_of_another_organisation(reporting: Reporting) -> None:
    await apply(reporting.store, [random_story(75, 30).envelopes])
    everything = {**WINDOW, "limit": 200}
    ours = await reporting.get("/indicators/mttr/incidents", params=everything, organisations=["globex"])
    theirs = await reporting.get("/indicators/mttr/incidents", params=everything, organisations=["acme"])
    own, foreign = ({row["incident_id"] for row in found.json()["items"]} for found in (ours, theirs))
    assert own
    assert foreign
    assert not own & foreign
    for incident in foreign:
        assert (await reporting.get(f"/incidents/{incident}/events", organisations=["globex"])).status_code == 404
    incident = own.pop()
    assert (await reporting.get(f"/incidents/{incident}/events", organisations=["globex"])).status_code == 200
    for role in ("requester", "agent"):
        assert (await reporting.get(f"/incidents/{incident}/events", role)).status_code == 403
        assert (await reporting.get("/indicators/mttr/incidents", role)).status_code == 403


async def test_what_an_indicator_cannot_tell_is_refused_with_a_reason(reporting: Reporting) -> None:
    for name, params in (
        ("sla-at-risk", {"from": "2026-10-01"}),
        ("sla-at-risk", {"group_by": "day"}),
        ("cmdb-ownership", {"group_by": "priority"}),
        ("cmdb-ownership", {"priority": "1"}),
        ("cmdb-ownership", {"service": "x"}),
        ("mttr", {"within_days": "7"}),
        ("reopen-rate", {"within_days": "0"}),
        ("reopen-rate", {"within_days": "9999"}),
        ("reopen-rate", {"within_days": "7 days'); drop table mart.fact_incident"}),
        ("backlog-growth", {"at": "2026-10-01"}),
    ):
        for path in (f"/indicators/{name}", f"/indicators/{name}/incidents"):
            answer = await reporting.get(path, params=params)
            assert answer.status_code == 422, (params, answer.text)
            assert answer.json()["errors"]
    for cursor in ("x", "WzFd", "WyJhIiwiYiJd"):
        assert (await reporting.get("/indicators/mttr/incidents", params={"cursor": cursor})).status_code == 422
        assert (await reporting.get("/incidents/a/events", params={"cursor": "x"})).status_code in (404, 422)
    for group in ("' or 1=1 --", "%", "🔥", "99999999999999999999"):
        for by in ("priority", "team", "service", "category", "organisation"):
            answer = await reporting.get("/indicators/mttr/incidents", params={"group_by": by, "group": group})
            assert (answer.status_code, answer.json()["items"]) == (200, [])


async def test_workbook_says_the_same_and_holds_no_formula(reporting: Reporting) -> None:
    story = Story()
    hostile = opened(1, category='=HYPERLINK("http://x")', organisation="@evil")
    story.tell("a", hostile, datetime(2026, 11, 21, tzinfo=UTC))
    await apply(reporting.store, [story.envelopes])
    for group in ("category", "organisation"):
        answer = await reporting.get("/indicators/backlog", params={"group_by": group, "format": "xlsx"})
        assert answer.headers["content-type"].endswith("spreadsheetml.sheet")
        assert answer.headers["content-disposition"] == 'attachment; filename="backlog.xlsx"'
        with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
            parts = {name: book.read(name).decode() for name in book.namelist() if name.endswith(".xml")}
        sheet, texts = parts["xl/worksheets/sheet1.xml"], parts["xl/sharedStrings.xml"]
        assert "<f>" not in "".join(parts.values())
        assert "hyperlink" not in sheet
        assert ("=HYPERLINK" if group == "category" else "@evil") in texts
        assert "<v>1</v>" in sheet
        assert "未结事件" in texts
        assert "number of incidents open at the instant" in texts


async def test_every_indicator_says_what_it_means_in_both_languages(reporting: Reporting) -> None:
    items = (await reporting.get("/indicators")).json()["items"]
    assert [found["indicator"] for found in items] == list(INDICATORS)
    for found in items:
        for word in ("title", "formula", "population", "clock"):
            assert len(found[word]) > 3
            assert any("一" <= letter <= "鿿" for letter in found[f"{word}_zh"]), (found["indicator"], word)
