"""Reporting's doors: rights, scopes, refusals, and the row of one incident."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.mart import apply
from tests.support.reporting_doors import BASE, Reporting, reporting_doors
from tests.support.stories import START, Story, about, opened, started

from opsledger_events.contexts import incident as i
from opsledger_events.contexts import notify as n
from opsledger_events.contexts import sla as s

PATHS = ["/indicators/mttr", "/freshness", "/incidents/incident-1"]


@pytest.fixture
async def reporting(database: str, tmp_path: Path) -> AsyncIterator[Reporting]:
    async with reporting_doors(database, tmp_path) as found:
        yield found


def told() -> Story:
    story, said = Story(), about("incident-1", 1, "resolution", team="network")
    story.tell("incident-1", opened(1, title="核心交换机 🔥 <b>"), START)
    story.tell("incident-1", i.IncidentAssigned(team="network", assignee="person-3"), START + timedelta(minutes=5))
    story.tell("clock-1", started(said, START, 3600), START)
    story.tell("clock-1", s.SLABreached(**said, due_at=START + timedelta(hours=1)), START + timedelta(hours=1))
    example = n.NotificationRequested.example
    story.tell("delivery-1", n.NotificationRequested(**{**example, "about": "incident-1"}), START + timedelta(hours=1))
    return story


async def test_incident_report_shows_row_clocks_and_notices(reporting: Reporting) -> None:
    await apply(reporting.store, [told().envelopes])
    found = (await reporting.get("/incidents/incident-1")).json()
    assert (found["title"], found["number"], found["state"]) == ("核心交换机 🔥 <b>", "INC0000001", "assigned")
    assert (found["seconds_to_acknowledge"], found["team_name"], found["priority_zh"]) == (300, "network", "中")
    assert [(clock["metric"], clock["state"]) for clock in found["clocks"]] == [("resolution", "breached")]
    assert [notice["state"] for notice in found["notifications"]] == ["requested"]
    by_number = await reporting.get("/incidents/INC0000001")
    assert by_number.json() == found
    assert (await reporting.get("/incidents/INC0000001", organisations=["globex"])).status_code == 404


async def test_incident_of_another_organisation_is_not_there(reporting: Reporting) -> None:
    await apply(reporting.store, [told().envelopes])
    assert (await reporting.get("/incidents/incident-1", organisations=["acme"])).status_code == 200
    for path, organisations in (
        ("/incidents/incident-1", ["globex"]),
        ("/incidents/nothing", None),
        ("/incidents/%00", None),
    ):
        answer = await reporting.get(path, organisations=organisations)
        assert answer.status_code in (400, 404), answer.text
        assert answer.headers["content-type"] == "application/problem+json"


async def test_freshness_is_shown(reporting: Reporting) -> None:
    await apply(reporting.store, [told().envelopes])
    items = (await reporting.get("/freshness")).json()["items"]
    assert {item["source_context"]: item["applied_number"] for item in items} == {
        "incident": 2,
        "sla": 2,
        "notify": 1,
        "cmdb": None,
    }


async def test_only_those_who_answer_for_figures_see_them(reporting: Reporting) -> None:
    for path in PATHS:
        assert (await reporting.http.get(BASE + path)).status_code == 401
        for role in ("requester", "agent", "integration"):
            assert (await reporting.get(path, role)).status_code == 403
        for role in ("analyst", "lead", "auditor", "operator", "administrator"):
            assert (await reporting.get(path, role)).status_code in (200, 404)


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("mttr", {"from": "yesterday"}),
    ("mttr", {"from": "2026-11-22T00:00:00"}),
    ("mttr", {"from": "0001-01-01"}),
    ("mttr", {"from": "2026-11-20", "to": "2026-11-01"}),
    ("mttr", {"to": "9999-12-31T23:59:59Z"}),
    ("mttr", {"from": "x" * 10000}),
    ("mttr", {"from": "2000-01-01", "group_by": "day"}),
    ("mttr", {"time_zone": "../../etc/passwd"}),
    ("mttr", {"time_zone": ""}),
    ("mttr", {"group_by": "title; drop table mart.fact_incident"}),
    ("mttr", {"priority": "0"}),
    ("mttr", {"priority": "99999999999999999999999999"}),
    ("mttr", {"priority": "one"}),
    ("mttr", {"organisation": "x" * 300}),
    ("mttr", {"format": "pdf"}),
    ("mttr", {"bom": "perhaps"}),
    ("mttr", {"metric": "response"}),
    ("mttr", {"at": "2026-11-01"}),
    ("mttr", {"kind": "sla"}),
    ("time-to-contact", {"metric": "contact"}),
    ("mttr-working", {"kind": "ola"}),
    ("sla-attainment", {"metric": "speed"}),
    ("sla-attainment", {"metric": ""}),
    ("sla-attainment", {"kind": "slo"}),
    ("sla-attainment", {"kind": ""}),
    ("sla-attainment", {"kind": "OLA"}),
    ("sla-attainment", {"kind": "ola' or '1'='1"}),
    ("sla-at-risk", {"kind": "x" * 10000}),
    ("sla-attainment", {"group_by": "party"}),
    ("backlog", {"from": "2026-11-01"}),
    ("backlog", {"at": "2027-11-01"}),
    ("backlog", {"at": "now"}),
    ("backlog", {"at": "2026-11-01", "group_by": "day"}),
]


async def test_hostile_and_mistaken_parameters_are_refused_with_a_reason(reporting: Reporting) -> None:
    for name, params in REFUSED:
        answer = await reporting.get(f"/indicators/{name}", params=params)
        assert answer.status_code == 422, (params, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"], (params, answer.text)


async def test_nul_and_broken_utf8_are_refused(reporting: Reporting) -> None:
    for query in ("organisation=a%00b", "team=%00", "from=2026-11-22%00", "organisation=%FF", "organisation=%ED%A0%80"):
        answer = await reporting.get(f"/indicators/mttr?{query}")
        assert answer.status_code in (400, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"


async def test_quotes_and_wildcards_are_only_text(reporting: Reporting) -> None:
    for text in ("' or 1=1 --", "%", "_", "{}", "$1", "中文", "🔥"):
        answer = await reporting.get("/indicators/backlog", params={"organisation": text, "team": text})
        assert answer.status_code == 200
        assert answer.json()["rows"][0]["count"] == 0


async def test_unknown_indicator_is_not_found(reporting: Reporting) -> None:
    assert (await reporting.get("/indicators/mtbf")).status_code == 404
