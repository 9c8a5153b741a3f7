"""An alert that goes and comes back, in every order that senders and people manage."""

import asyncio
import contextlib
from typing import Any

import pytest
from tests.support.incident_desk import Desk, alert
from tests.support.waiting import eventually

from incident.domain.commands import NoteIncident
from incident.domain.decider import DECIDER
from opsledger_runtime import ids
from opsledger_runtime.store import Metadata

COUNTS = ("opened", "repeated", "changed", "rejected")
FIRST_END = "2026-11-22T08:29:00Z"


def counts(answer: dict[str, Any]) -> dict[str, int]:
    return {name: answer[name] for name in COUNTS if answer[name]}


async def incidents(desk: Desk) -> list[Any]:
    return list((await desk.get("/incidents?sort=opened"))["items"])


async def _fires_and_ends(desk: Desk) -> None:
    await desk.webhook(alert())
    desk.pass_time(minutes=2)
    assert counts(await desk.webhook(alert(status="resolved"))) == {"changed": 1}
    desk.pass_time(minutes=2)


async def test_the_same_firing_after_its_end_is_news_to_an_open_incident(desk: Desk) -> None:
    await _fires_and_ends(desk)
    assert counts(await desk.webhook(alert())) == {"changed": 1}
    assert counts(await desk.webhook(alert())) == {"repeated": 1}
    [listed] = await incidents(desk)
    assert listed["alert_state"] == "firing"
    desk.pass_time(minutes=2)
    assert counts(await desk.webhook(alert(status="resolved", endsAt="2026-11-22T08:35:00Z"))) == {"changed": 1}
    [listed] = await incidents(desk)
    assert listed["alert_state"] == "resolved"
    names = [envelope.name for envelope in await desk.events(listed["id"])]
    assert names == ["IncidentOpened", *["IncidentAlertStateChanged"] * 3]


@pytest.mark.parametrize("ending", ["resolved", "cancelled"])
async def test_the_same_firing_after_its_end_opens_a_new_incident_where_the_old_is_over(
    desk: Desk, ending: str
) -> None:
    await _fires_and_ends(desk)
    [first] = await incidents(desk)
    if ending == "resolved":
        fixed = {"responsibility": "provider", "resolution": "fixed"}
        await desk.post(f"/incidents/{first['id']}/resolve", fixed)
    else:
        await desk.post(f"/incidents/{first['id']}/cancel", {"reason": "test"})
    assert counts(await desk.webhook(alert())) == {"opened": 1}
    assert counts(await desk.webhook(alert())) == {"repeated": 1}
    both = await incidents(desk)
    assert [(item["state"], item["alert_state"]) for item in both] == [(ending, "resolved"), ("new", "firing")]


async def test_an_alert_that_resolves_its_incident_opens_another_each_time_it_comes_back(resolving: Desk) -> None:
    for times in range(1, 4):
        assert counts(await resolving.webhook(alert())) == {"opened": 1}
        resolving.pass_time(minutes=2)
        ended = alert(status="resolved", endsAt=f"2026-11-22T08:3{times}:00Z")
        assert counts(await resolving.webhook(ended)) == {"changed": 1}
        resolving.pass_time(minutes=2)
    assert [item["state"] for item in await incidents(resolving)] == ["resolved"] * 3


async def test_an_old_end_that_comes_again_does_not_end_the_new_firing(desk: Desk) -> None:
    await _fires_and_ends(desk)
    await desk.webhook(alert())
    assert counts(await desk.webhook(alert(status="resolved", endsAt=FIRST_END))) == {"repeated": 1}
    [listed] = await incidents(desk)
    assert listed["alert_state"] == "firing"


async def test_a_repeat_that_was_overtaken_by_its_end_is_no_new_firing(desk: Desk) -> None:
    await desk.webhook(alert())
    await desk.webhook(alert(status="resolved"))
    desk.pass_time(seconds=59)
    assert counts(await desk.webhook(alert())) == {"repeated": 1}
    [listed] = await incidents(desk)
    assert listed["alert_state"] == "resolved"


async def test_end_and_new_beginning_in_one_batch_open_a_second_incident(resolving: Desk) -> None:
    await resolving.webhook(alert())
    again = alert(startsAt="2026-11-22T08:29:30Z")
    assert counts(await resolving.webhook(alert(status="resolved"), again)) == {"opened": 1, "changed": 1}
    assert [item["state"] for item in await incidents(resolving)] == ["resolved", "new"]


async def test_several_firings_of_one_fingerprint_in_one_batch(resolving: Desk) -> None:
    batch = []
    for minute in range(5):
        starts = f"2026-11-22T08:2{minute}:00Z"
        batch += [alert(startsAt=starts), alert(status="resolved", startsAt=starts)]
    assert counts(await resolving.webhook(*batch)) == {"opened": 5, "changed": 5}
    assert len({item["number"] for item in await incidents(resolving)}) == 5


class _Abandoned(Exception):
    """Rolls a transaction back."""


async def test_a_firing_whose_incident_is_resolved_while_the_batch_waits_opens_another(desk: Desk) -> None:
    await desk.webhook(alert("f0"), alert("f1"))
    await desk.webhook(alert("f0", "resolved"), alert("f1", "resolved"))
    first, second = await incidents(desk)
    later = {"startsAt": "2026-11-22T08:29:30Z"}

    async def waits() -> bool:
        query = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        return bool(await desk.pool.fetchval(query))

    with contextlib.suppress(_Abandoned):
        async with desk.running.store.transaction() as transaction:
            note = NoteIncident("holds up the first alert of the batch")
            await transaction.execute(DECIDER, first["id"], note, Metadata(ids.new_id(), "agent"))
            await transaction.flush()
            batch = asyncio.create_task(desk.webhook(alert("f0", **later), alert("f1", **later)))
            await eventually(waits)
            fixed = {"responsibility": "provider", "resolution": "fixed"}
            await desk.post(f"/incidents/{second['id']}/resolve", fixed)
            raise _Abandoned
    assert counts(await batch) == {"changed": 1, "opened": 1}
    assert [(item["alert_fingerprint"], item["state"]) for item in await incidents(desk)] == [
        ("f0", "new"),
        ("f1", "resolved"),
        ("f1", "new"),
    ]


async def test_a_firing_that_meets_the_resolving_person_is_never_lost(desk: Desk) -> None:
    fixed = {"responsibility": "provider", "resolution": "fixed"}
    await desk.webhook(*(alert(f"f{index}") for index in range(6)))
    await desk.webhook(*(alert(f"f{index}", "resolved") for index in range(6)))
    opened = await incidents(desk)
    again = [alert(f"f{index}", startsAt="2026-11-22T08:29:30Z") for index in range(6)]
    resolving = [desk.post(f"/incidents/{item['id']}/resolve", fixed) for item in opened]
    await asyncio.gather(desk.webhook(*again), *resolving)
    for fingerprint in {item["alert_fingerprint"] for item in opened}:
        mine = [item for item in await incidents(desk) if item["alert_fingerprint"] == fingerprint]
        told = [envelope for item in mine for envelope in await desk.events(item["id"])]
        names = [envelope.name for envelope in sorted(told, key=lambda found: found.recordedtime)]
        assert len(mine) == 2 or names[-2:] == ["IncidentAlertStateChanged", "IncidentResolved"], names


async def test_a_refusal_of_the_resolution_does_not_lose_the_news(resolving: Desk) -> None:
    await resolving.webhook(alert())
    [listed] = await incidents(resolving)
    fixed = {"responsibility": "customer", "resolution": "unplugged"}
    await resolving.post(f"/incidents/{listed['id']}/resolve", fixed)
    assert counts(await resolving.webhook(alert(status="resolved"))) == {"changed": 1}
    [listed] = await incidents(resolving)
    assert (listed["responsibility"], listed["alert_state"]) == ("customer", "resolved")
