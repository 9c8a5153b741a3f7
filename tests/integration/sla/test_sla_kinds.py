"""Agreements of every kind over a real store: customers, own teams, vendors; several clocks for one incident."""

from typing import Any

import pytest
from tests.support.service_levels import ServiceLevels, at

from opsledger_events.contexts import incident as i
from sla.seed import DEFAULT_CALENDAR

CUSTOMER, TEAM, VENDOR = (f"00000000-0000-7000-8000-0000000000a{n}" for n in range(3))
HOUR = 3600


def agreement(**given: Any) -> dict[str, Any]:
    about = {"name": "Gold", "calendar": DEFAULT_CALENDAR, "warning_percent": [50], "organisation": "acme"}
    return {**about, "pausing_reasons": ["awaiting_requester"], **given}


def targets(**given: Any) -> list[dict[str, Any]]:
    return [{"priority": priority, **given} for priority in range(1, 6)]


async def clocks(levels: ServiceLevels, **asked: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await levels.get("/clocks", params=asked))["items"]
    return found


async def shown(levels: ServiceLevels, **asked: str) -> list[tuple[Any, ...]]:
    """Party, when it began, state, and whether it was met."""
    return [(one["party"], one["started_at"][11:16], one["state"], one["met"]) for one in await clocks(levels, **asked)]


@pytest.fixture
async def acme(levels: ServiceLevels) -> ServiceLevels:
    """A customer's six promises, those of any own team, and those of one vendor."""
    by_day = {"working_days": 1, "at": "16:00"}
    customer = agreement(
        targets=targets(
            response_seconds=HOUR,
            contact_seconds=HOUR,
            ownership_seconds=HOUR,
            update_seconds=2 * HOUR,
            workaround_seconds=4 * HOUR,
            resolution_by=by_day,
        )
    )
    await levels.put(f"/agreements/{CUSTOMER}", customer)
    await levels.put(
        f"/agreements/{TEAM}",
        agreement(name="OLA", kind="ola", targets=targets(ownership_seconds=HOUR, resolution_seconds=3 * HOUR)),
    )
    await levels.put(
        f"/agreements/{VENDOR}",
        agreement(name="UC", kind="uc", team="vendor", targets=targets(resolution_seconds=24 * HOUR)),
    )
    return levels


async def live(levels: ServiceLevels) -> str:
    incident = await levels.open()
    for event, hours in (
        (i.IncidentAssigned(team="desk"), 0),
        (i.IncidentAssigned(team="network", assignee="person-3", previous_team="desk"), 0.5),
        (i.IncidentNoted(text="在查", public=True), 1),
        (i.IncidentNoted(text="内部"), 1.5),
        (i.IncidentAssigned(team="vendor", previous_team="network"), 5),
        (i.IncidentRequesterContacted(channel="phone"), 6),
        (i.IncidentResolved(responsibility="third_party", resolution="x"), 8),
    ):
        await levels.tell(incident, event, hours)
    return incident


async def test_r83_teams_and_vendors_have_clocks_while_they_have_the_incident(acme: ServiceLevels) -> None:
    incident = await live(acme)
    assert await shown(acme, incident=incident, kind="uc") == [("vendor", "06:00", "stopped", True)]
    stays = [("desk", "01:00", "stopped", True), ("network", "01:30", "stopped", False)]
    assert await shown(acme, incident=incident, kind="ola", metric="resolution") == [
        *stays,
        ("vendor", "06:00", "stopped", True),
    ]
    assert await shown(acme, kind="ola", party="network") == [stays[1]]
    owned = await shown(acme, incident=incident, kind="ola", metric="ownership")
    assert [one[0] for one in owned] == ["desk", "vendor"]  # the network team got it together with its owner


async def test_r89_each_promise_to_the_customer_is_a_clock(acme: ServiceLevels) -> None:
    incident = await live(acme)
    found = await clocks(acme, incident=incident, kind="sla")
    assert {one["metric"]: one["met"] for one in found if one["metric"] != "update"} == {
        "response": False,
        "contact": True,
        "ownership": True,
        "workaround": False,
        "resolution": True,
    }
    updates = await shown(acme, incident=incident, metric="update")
    assert updates == [
        (None, "01:00", "stopped", True),
        (None, "02:00", "stopped", False),
        (None, "07:00", "stopped", True),
    ]
    (resolution,) = [one for one in found if one["metric"] == "resolution"]
    assert resolution["due_at"] == "2026-11-24T16:00:00Z"  # the default calendar is open always, in UTC
    assert (await acme.history(incident))[0].data["chosen_by"] == ["organisation"]


async def test_r89_the_next_update_is_warned_of_and_breached_like_any_promise(acme: ServiceLevels) -> None:
    incident = await acme.open()
    await acme.tell(incident, i.IncidentNoted(text="在查", public=True), 1)
    await acme.fire_until(3.5)
    _, second = await clocks(acme, incident=incident, metric="update")
    assert (second["breached_at"], second["breach_announced"], second["warned"]) == ("2026-11-23T04:00:00Z", True, [50])


async def test_a_clock_of_a_team_says_whose_it_is(acme: ServiceLevels) -> None:
    incident = await live(acme)
    (vendor,) = await clocks(acme, incident=incident, kind="uc")
    told = await acme.get(f"/clocks/{vendor['id']}/trace", params={"lang": "zh-CN"})
    assert (told["kind"], told["party"], told["metric"]) == ("uc", "vendor", "resolution")
    drawn = await acme.http.get(f"/api/sla/v1/clocks/{vendor['id']}/trace.svg", params={"lang": "zh-CN"})
    assert "INC0000001：解决（UC vendor）" in drawn.text


async def test_what_several_clocks_leave_can_be_rebuilt(acme: ServiceLevels) -> None:
    await live(acme)
    await acme.fire_until(100)
    assert await acme.rebuild() == await acme.digests()


async def test_r89_another_agreement_where_the_priority_leaves_the_first(levels: ServiceLevels) -> None:
    """One for the highest priority and one for the others: the clock goes over, with all that had happened."""
    await levels.put(
        f"/agreements/{CUSTOMER}",
        agreement(priorities=[1], targets=[{"priority": 1, "resolution_seconds": 4 * HOUR}], pausing_reasons=[]),
    )
    await levels.put(f"/agreements/{TEAM}", agreement(name="Silver", targets=targets(resolution_seconds=24 * HOUR)))
    incident = await levels.open()
    await levels.tell(incident, i.IncidentHeld(reason="awaiting_requester"), 1)
    await levels.tell(incident, i.IncidentResumed(), 3)
    await levels.tell(incident, i.IncidentPrioritised(impact=3, urgency=3, priority=3, previous_priority=1), 5)
    assert await levels.names(incident) == [
        *("SLAClockStarted@0", "SLAWarningReached@2", "SLABreached@4", "SLAClockTermsChanged@5", "SLABreachWithdrawn@5")
    ]
    row = await levels.row(incident)
    assert (row["agreement"], row["elapsed_seconds"], row["due_at"]) == (TEAM, 3 * HOUR, at(26))
    assert (row["breached_at"], row["next_breach_at"]) == (None, at(26))
    told = await levels.get(f"/clocks/{row['id']}/trace", params={"lang": "zh-CN"})
    text = "".join(line["text"] for line in told["lines"])
    assert "改用另一协议，自起算时起适用" in text
    assert "等待报障人" in text
    assert await levels.rebuild() == await levels.digests()


@pytest.mark.parametrize("policy", ["continue", "restart", "new_clock"])
async def test_r89_reopening_by_policy(levels: ServiceLevels, policy: str) -> None:
    await levels.put(f"/agreements/{CUSTOMER}", agreement(targets=targets(resolution_seconds=4 * HOUR), reopen=policy))
    incident = await levels.open()
    await levels.tell(incident, i.IncidentResolved(responsibility="provider", resolution="x"), 3)
    await levels.tell(incident, i.IncidentReopened(reason="x"), 5)
    await levels.fire_until(7.5)
    found = await clocks(levels, incident=incident)
    if policy == "new_clock":
        assert [(one["started_at"], one["state"], one["due_at"]) for one in found] == [
            ("2026-11-23T01:00:00Z", "stopped", "2026-11-23T05:00:00Z"),
            ("2026-11-23T06:00:00Z", "running", "2026-11-23T10:00:00Z"),
        ]
    else:
        (one,) = found
        due, breached = ("07:00", True) if policy == "continue" else ("10:00", False)
        assert (one["due_at"][11:16], one["breach_announced"]) == (due, breached)


async def test_r2_from_dispatch_to_first_contact(acme: ServiceLevels) -> None:
    incident = await acme.open(hours=0)
    assert await shown(acme, incident=incident, metric="contact") == []
    await acme.tell(incident, i.IncidentAssigned(team="field", assignee="person-5"), 2)
    await acme.tell(incident, i.IncidentRequesterContacted(channel="phone", booked_at=at(24)), 2.25)
    (contact,) = await clocks(acme, incident=incident, metric="contact")
    assert (contact["elapsed_seconds"], contact["met"], contact["target_seconds"]) == (900, True, HOUR)


async def test_the_same_batch_at_once_or_event_by_event_is_the_same(acme: ServiceLevels) -> None:
    told = [
        acme.envelope("one", event, hours)
        for event, hours in (
            (i.IncidentOpened(number="INC0000009", title="x", impact=1, urgency=1, priority=1, organisation="acme"), 0),
            (i.IncidentAssigned(team="desk"), 0),
            (i.IncidentNoted(text="x", public=True), 1),
            (i.IncidentAssigned(team="vendor"), 2),
            (i.IncidentResolved(responsibility="provider", resolution="x"), 3),
        )
    ]
    await acme.hand_over(*told)
    at_once = await shown(acme, incident="one")
    await acme.hand_over(*told)  # again changes nothing
    assert await shown(acme, incident="one") == at_once
    assert len(at_once) == 4 + 1 + 2 + 2 + 2 + 1


async def test_r89_the_agreement_that_names_a_priority_judges_it_when_it_gets_that_priority(
    levels: ServiceLevels,
) -> None:
    """And the general one has it again afterwards, whatever way it went."""
    await levels.put(f"/agreements/{CUSTOMER}", agreement(targets=targets(resolution_seconds=24 * HOUR)))
    urgent = agreement(name="P2", priorities=[2], targets=[{"priority": 2, "resolution_seconds": 2 * HOUR}])
    await levels.put(f"/agreements/{TEAM}", urgent)
    incident = await levels.open(priority=3)
    for hours, priority in ((0.5, 2), (0.75, 3), (1, 2)):
        await levels.tell(
            incident, i.IncidentPrioritised(impact=2, urgency=2, priority=priority, previous_priority=1), hours
        )
        wanted = (TEAM, at(2)) if priority == 2 else (CUSTOMER, at(24))
        row = await levels.row(incident)
        assert (row["agreement"], row["due_at"]) == wanted


async def test_a_reopened_clock_goes_on_by_other_terms_and_begins_anew_the_next_time(levels: ServiceLevels) -> None:
    await levels.put(f"/agreements/{CUSTOMER}", agreement(targets=targets(resolution_seconds=24 * HOUR)))
    again = agreement(name="P2", priorities=[2], targets=[{"priority": 2, "resolution_seconds": 4 * HOUR}])
    await levels.put(f"/agreements/{TEAM}", {**again, "reopen": "new_clock"})
    incident = await levels.open()
    done = i.IncidentResolved(responsibility="provider", resolution="x")
    for event, hours in (
        (done, 1),
        (i.IncidentReopened(reason="x"), 2),
        (i.IncidentPrioritised(impact=2, urgency=2, priority=2, previous_priority=1), 2.5),
        (i.IncidentHeld(reason="awaiting_requester"), 3),
        (i.IncidentResumed(), 4),
        (done, 5),
        (i.IncidentReopened(reason="x"), 6),
    ):
        await levels.tell(incident, event, hours)
    first, second = await clocks(levels, incident=incident)
    assert (first["state"], first["met"], first["elapsed_seconds"]) == ("stopped", True, 3 * HOUR)
    assert (second["state"], second["started_at"]) == ("running", "2026-11-23T07:00:00Z")
    assert await levels.rebuild() == await levels.digests()
