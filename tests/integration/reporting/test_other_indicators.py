"""Indicators that no foreign log can feed, against the same computed anew from invented events."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.support import figures
from tests.support.behind import rows_behind
from tests.support.mart import NOW, apply, filled_mart
from tests.support.reporting_doors import Reporting, reporting_doors
from tests.support.servers import new_database
from tests.support.stories import START, Story, about, batches, interleaved, item, opened, random_story, started

from opsledger_events import Envelope
from opsledger_events.contexts import cmdb as c
from opsledger_events.contexts import sla as s

TOLD = random_story(123, 150)
BEGINS, ENDS = (datetime(2026, *day, tzinfo=ZoneInfo("Asia/Shanghai")) for day in ((10, 5), (11, 16)))
WINDOW = {"begins": "2026-10-05", "to": "2026-11-15"}


@pytest.fixture
async def reporting(database: str, tmp_path: Path) -> AsyncIterator[Reporting]:
    async with reporting_doors(database, tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
async def filled(postgres_url: str) -> AsyncIterator[str]:
    async with filled_mart(postgres_url, batches(interleaved(TOLD, 2), 2, 200)) as url:
        yield url


@pytest.fixture
async def told(postgres_url: str, filled: str, tmp_path: Path) -> AsyncIterator[Reporting]:
    async with new_database(postgres_url, filled) as database, reporting_doors(database, tmp_path) as found:
        yield found


def sums(answer: dict[str, Any]) -> tuple[int, int]:
    return answer["rows"][0]["numerator"], answer["rows"][0]["denominator"]


def stopped(metric: str) -> list[Envelope]:
    """What stopped each clock of a metric of customers' agreements in the window, if nothing set it running again."""
    found = [
        clock.last("SLAMet", "SLAMissed", "SLAClockContinued")
        for clock in figures.clocks(TOLD.envelopes, "sla", metric)
    ]
    return [
        last for last in found if last is not None and last.name != "SLAClockContinued" and BEGINS <= last.time < ENDS
    ]


@pytest.mark.parametrize(("name", "metric"), [("mttr-working", "resolution"), ("time-to-contact", "contact")])
async def test_working_time_is_what_stopped_clocks_of_customers_used(told: Reporting, name: str, metric: str) -> None:
    used = [last.data["elapsed_seconds"] for last in stopped(metric)]
    assert len(used) > 20
    assert sums(await told.figures(name, **WINDOW)) == (sum(used), len(used))


async def test_r2_contacts_in_time_are_told_beside_the_mean(told: Reporting) -> None:
    ends = [last.name for last in stopped("contact")]
    row = (await told.figures("time-to-contact", **WINDOW))["rows"][0]
    assert (row["in_time"], row["denominator"]) == (ends.count("SLAMet"), len(ends))
    assert 0 < row["in_time"] < len(ends)


async def test_r83_which_team_keeps_its_internal_target_and_which_vendor_its_contract(told: Reporting) -> None:
    for kind, teams in (("ola", ["database", "network"]), ("uc", ["vendor-x"])):
        whole = figures.attainment(TOLD.envelopes, BEGINS, ENDS, lambda given: True, kind)
        assert 0 < whole[0] < whole[1]
        assert sums(await told.figures("sla-attainment", **WINDOW, kind=kind)) == whole
        rows = (await told.figures("sla-attainment", **WINDOW, kind=kind, group_by="team"))["rows"]
        assert [row["group"] for row in rows] == teams
        for row in rows:
            pick = lambda given, team=row["group"]: given["team"] == team  # noqa: E731
            found = figures.attainment(TOLD.envelopes, BEGINS, ENDS, pick, kind)
            assert (row["numerator"], row["denominator"]) == found
            assert len(await rows_behind(told, row["incidents"])) == found[1]
            assert sums(await told.figures("sla-attainment", **WINDOW, kind=kind, team=row["group"])) == found


@pytest.mark.parametrize("metric", ["response", "contact", "ownership", "update", "workaround", "resolution"])
@pytest.mark.parametrize("kind", ["sla", "ola", "uc"])
async def test_attainment_of_one_kind_and_metric_counts_its_clocks_alone(
    told: Reporting, kind: str, metric: str
) -> None:
    found = figures.attainment(TOLD.envelopes, BEGINS, ENDS, lambda given: True, kind, metric)
    assert sums(await told.figures("sla-attainment", **WINDOW, kind=kind, metric=metric)) == found


async def test_clocks_of_teams_are_at_risk_only_where_they_are_asked_for(reporting: Reporting) -> None:
    story, due = Story(), NOW + timedelta(hours=1)
    for number, kind in enumerate(("sla", "ola", "ola", "uc"), 1):
        said = about("incident-1", 1, "resolution", kind=kind, party=None if kind == "sla" else f"team-{number}")
        story.tell(f"clock-{number}", started(said, START, 3600), START)
        if kind != "sla":
            story.tell(f"clock-{number}", s.SLAWarningReached(**said, percent=75, due_at=due), START)
    await apply(reporting.store, [story.envelopes])
    assert sums(await reporting.figures("sla-at-risk")) == (0, 1)
    assert sums(await reporting.figures("sla-at-risk", kind="ola")) == (2, 2)
    assert sums(await reporting.figures("sla-at-risk", kind="ola", team="team-3")) == (1, 1)
    assert sums(await reporting.figures("sla-at-risk", kind="uc")) == (1, 1)


async def test_each_resolution_clock_of_a_reopened_incident_counts_by_itself(reporting: Reporting) -> None:
    story, said = Story(), about("incident-1", 1, "resolution")
    for clock, day, used in (("clock-1", 20, 600), ("clock-2", 21, 900)):
        begun = START + timedelta(days=day)
        story.tell(clock, started(said, begun, 3600), begun)
        story.tell(clock, s.SLAMet(**said, elapsed_seconds=used), begun + timedelta(seconds=used))
    of_team = about("incident-1", 1, "resolution", kind="ola", party="network")
    story.tell("clock-3", started(of_team, begun, 3600), begun)
    story.tell("clock-3", s.SLAMet(**of_team, elapsed_seconds=7), begun + timedelta(seconds=7))
    await apply(reporting.store, [story.envelopes])
    assert sums(await reporting.figures("mttr-working", **WINDOW)) == (1500, 2)
    assert sums(await reporting.figures("sla-attainment", **WINDOW, metric="resolution")) == (2, 2)


async def test_first_reply_is_the_first_public_note_of_somebody_else(told: Reporting) -> None:
    waits, silent = [], 0
    for incident in figures.aggregates(TOLD.envelopes, "incident"):
        resolved = figures.resolved_at(incident)
        if resolved is None or not BEGINS <= resolved < ENDS or incident.has("IncidentCancelled"):
            continue
        asker = incident.events[0].data.get("requester")
        replies = [
            event.time
            for event in incident.events
            if event.name == "IncidentNoted" and event.data["public"] and event.actor != asker
        ]
        if replies:
            waits.append(int((replies[0] - incident.events[0].time).total_seconds()))
        else:
            silent += 1
    answer = await told.figures("first-reply", **WINDOW)
    assert len(waits) > 10
    assert sums(answer) == (sum(waits), len(waits))
    assert answer["rows"][0]["unanswered"] == silent > 0


async def test_alert_noise_counts_episodes_that_opened_no_incident(told: Reporting) -> None:
    first = again = 0
    for incident in figures.aggregates(TOLD.envelopes, "incident"):
        said = incident.events[0].data
        firing = "alert_fingerprint" in said
        if firing:
            first += BEGINS <= incident.events[0].time < ENDS
        for event in incident.events:
            if event.name == "IncidentAlertStateChanged":
                if event.data["state"] == "firing" and not firing and "alert_fingerprint" in said:
                    again += BEGINS <= datetime.fromisoformat(event.data["occurred_at"]) < ENDS
                firing = event.data["state"] == "firing"
    assert first > 20
    assert again > 5
    assert sums(await told.figures("alert-noise", **WINDOW)) == (again, first + again)


@pytest.mark.parametrize("day", [5, 25, 45])
async def test_r34_ownership_is_complete_where_everybody_that_the_class_needs_is_named(
    told: Reporting, day: int
) -> None:
    at = START + timedelta(days=day)
    needs: dict[str, dict[str, Any]] = {}
    items: dict[str, dict[str, Any]] = {}
    for envelope in TOLD.by_context()["cmdb"]:
        data = envelope.data
        if envelope.name == "ConfigurationItemClassDefined":
            needs[data["key"]] = data
        elif envelope.time <= at:
            kept = items.setdefault(envelope.subject, {})
            if envelope.name == "ConfigurationItemMerged":
                kept["gone"] = True
            elif envelope.name == "ConfigurationItemRetired":
                kept["lifecycle"] = "retired"
            elif envelope.name in ("ConfigurationItemStocked", "ConfigurationItemCommissioned"):
                kept["lifecycle"] = "in_stock"
            elif envelope.name == "ConfigurationItemOwnerNamed":
                kept |= {name: data.get(name) for name in ("owner_team", "administrator", "database_administrator")}
            else:
                kept |= {"owner_team": None, "administrator": None, "database_administrator": None, **data}
    there = [one for one in items.values() if not one.get("gone") and one["lifecycle"] != "retired"]
    complete = [
        one
        for one in there
        if one["owner_team"]
        and (one["administrator"] or not needs[one["item_class"]]["needs_administrator"])
        and (one["database_administrator"] or not needs[one["item_class"]]["needs_database_administrator"])
    ]
    assert sums(await told.figures("cmdb-ownership", at=at.isoformat())) == (len(complete), len(there))


async def test_r34_an_item_without_owner_is_named_behind_the_figure(reporting: Reporting) -> None:
    story = Story()
    defined = c.ConfigurationItemClassDefined(
        key="server", name_zh="服务器", name_en="S", needs_administrator=True, revision=1
    )
    story.tell("class-1", defined, START)
    story.tell("item-1", c.ConfigurationItemRegistered(**item("a", owner_team="x", administrator="person-1")), START)
    story.tell("item-2", c.ConfigurationItemRegistered(**item("b", owner_team="x")), START)
    story.tell("item-3", c.ConfigurationItemRegistered(**item("c", administrator="person-1")), START)
    await apply(reporting.store, [story.envelopes])
    answer = await reporting.figures("cmdb-ownership")
    row = answer["rows"][0]
    assert (row["ratio"], row["without_owner"], row["without_administrator"]) == (0.3333, 1, 1)
    behind = await rows_behind(reporting, row["incidents"])
    assert {(one["number"], one["numerator"]) for one in behind} == {("a", 1), ("b", 0), ("c", 0)}


async def test_a_running_clock_is_at_risk_from_its_first_warning_until_it_breaks_or_stops(reporting: Reporting) -> None:
    story, due = Story(), NOW + timedelta(hours=1)
    for number, ends in enumerate((None, "warned", "breached", "met", "cancelled"), 1):
        said = about(f"incident-{number}", number, "resolution")
        story.tell(f"incident-{number}", opened(number), START)
        story.tell(f"clock-{number}", started(said, START, 3600), START)
        if ends is not None:
            story.tell(f"clock-{number}", s.SLAWarningReached(**said, percent=75, due_at=due), START)
        events = {
            "breached": s.SLABreached(**said, due_at=due),
            "met": s.SLAMet(**said, elapsed_seconds=1),
            "cancelled": s.SLAClockCancelled(**said),
        }
        if ends in events:
            story.tell(f"clock-{number}", events[ends], START)
    await apply(reporting.store, [story.envelopes])
    assert sums(await reporting.figures("sla-at-risk")) == (1, 2)
    assert sums(await reporting.figures("sla-at-risk", metric="response")) == (0, 0)
