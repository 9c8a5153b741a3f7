"""An agreement's revision applied to its running clocks: shown first, explicit, announced clock by clock, resumed."""

from typing import Any

import pytest
from tests.support.service_levels import BASE, START, ServiceLevels, at

from opsledger_events.contexts import incident as i
from opsledger_runtime.timers import Due
from sla import applying
from sla.casebook import clock_id
from sla.renegotiating import AGREEMENTS
from sla.seed import DEFAULT_AGREEMENT, DEFAULT_CALENDAR

GOLD = "00000000-0000-7000-8000-0000000000b1"
HOUR = 3600


def gold(hours: int, **given: Any) -> dict[str, Any]:
    return {
        "name": "Gold",
        "calendar": DEFAULT_CALENDAR,
        "organisation": "acme",
        "targets": [{"priority": 1, "response_seconds": HOUR, "resolution_seconds": hours * HOUR}],
        "pausing_reasons": ["awaiting_requester"],
        "warning_percent": [75],
        **given,
    }


@pytest.fixture
async def acme(levels: ServiceLevels) -> ServiceLevels:
    levels.running.clock.instant = START
    await levels.put(f"/agreements/{GOLD}", gold(4))
    return levels


async def revise(levels: ServiceLevels, body: dict[str, Any], version: int = 1) -> None:
    await levels.put(f"/agreements/{GOLD}", body, status=200, headers={"If-Match": f'"{version}"'})


async def apply(levels: ServiceLevels, *, status: int = 202, of: str = GOLD, headers: Any = None, **body: Any) -> Any:
    answer = await levels.http.post(
        f"{BASE}/agreements/{of}/apply", json={"revision": 2, **body}, headers=headers or {}
    )
    assert answer.status_code == status, answer.text
    return answer.json()


async def work_off(levels: ServiceLevels) -> int:
    """Fire the queue until nothing is left; how many transactions that took."""
    for turn in range(100):
        async with levels.running.store.transaction() as tx:
            rows = await tx.connection.fetch(
                "delete from es.timer where queue = $1 returning key, due", AGREEMENTS.queue
            )
            if not rows:
                return turn
            await AGREEMENTS.timers().fire(tx, [Due(row["key"], row["due"], False) for row in rows])
    raise AssertionError("it never ends")


async def test_r89_running_clocks_keep_their_agreement_until_its_revision_is_applied(acme: ServiceLevels) -> None:
    incident = await acme.open()
    await acme.tell(incident, i.IncidentHeld(reason="lunch"), 1)
    await acme.tell(incident, i.IncidentResumed(), 2)
    await revise(acme, gold(8, pausing_reasons=["lunch"]))
    assert (await acme.row(incident))["due_at"] == at(4)
    acme.running.clock.instant = at(2.5)
    assert (await apply(acme))["clocks"] == 2
    await work_off(acme)
    row = await acme.row(incident)
    assert (row["agreement_revision"], row["elapsed_seconds"], row["due_at"]) == (2, int(1.5 * HOUR), at(9))
    assert await acme.timers(incident) == {"breach": at(9), "warning/75": at(7)}
    changed = (await acme.history(incident))[-1]
    assert (changed.name, changed.data["previous_due_at"]) == ("SLAClockTermsChanged", "2026-11-23T05:00:00Z")
    assert changed.data["because"] == changed.causationid
    assert await acme.rebuild() == await acme.digests()


async def test_r89_closed_clocks_keep_the_revision_that_they_were_judged_by(acme: ServiceLevels) -> None:
    incident = await acme.open()
    await acme.tell(incident, i.IncidentResolved(responsibility="provider", resolution="x"), 5)
    before = [dict(await acme.row(incident, metric)) for metric in ("response", "resolution")]
    await revise(acme, gold(8))
    assert (await apply(acme))["clocks"] == 0
    await work_off(acme)
    assert [dict(await acme.row(incident, metric)) for metric in ("response", "resolution")] == before
    assert before[1]["met"] is False


async def test_a_dry_run_says_what_would_change_and_changes_nothing(acme: ServiceLevels) -> None:
    incident = await acme.open()
    await revise(acme, gold(8))
    told = await apply(acme, status=200, dry_run=True)
    assert (told["applied"], told["clocks"]) == (False, 2)
    (move,) = [one for one in told["moves"] if one["metric"] == "resolution"]
    assert (move["clock"], move["previous_revision"]) == (clock_id(incident, "resolution"), 1)
    assert (move["previous_target_seconds"], move["target_seconds"]) == (4 * HOUR, 8 * HOUR)
    assert (move["previous_due_at"], move["due_at"]) == ("2026-11-23T05:00:00Z", "2026-11-23T09:00:00Z")
    assert move["agreement"] == GOLD
    assert await work_off(acme) == 0
    assert (await acme.row(incident))["agreement_revision"] == 1


async def test_r89_a_breach_that_is_none_by_the_new_terms_is_withdrawn_and_comes_again(acme: ServiceLevels) -> None:
    incident = await acme.open()
    await acme.fire_until(5)
    assert (await acme.row(incident))["breached_at"] == at(4)
    acme.running.clock.instant = at(5)
    await revise(acme, gold(8))
    await apply(acme)
    await work_off(acme)
    assert (await acme.names(incident))[-2:] == ["SLAClockTermsChanged@5", "SLABreachWithdrawn@5"]
    assert (await acme.row(incident))["breached_at"] is None
    await acme.fire_until(9)
    assert (await acme.row(incident))["breached_at"] == at(8)
    told = await acme.get(f"/clocks/{clock_id(incident, 'resolution')}/trace", params={"lang": "en"})
    text = " ".join(line["text"] for line in told["lines"])
    assert "revision 2 of the agreement applies from the beginning, instead of 1" in text
    assert [one["because"] for one in told["closing"]["moves"]] == ["agreement"]


async def test_an_incident_that_the_agreement_is_no_longer_for_gets_the_one_that_is(acme: ServiceLevels) -> None:
    incident = await acme.open()
    await revise(acme, gold(4, service="mail"))
    (move,) = [one for one in (await apply(acme, status=200, dry_run=True))["moves"] if one["metric"] == "resolution"]
    assert move["agreement"] == DEFAULT_AGREEMENT
    await apply(acme)
    await work_off(acme)
    row = await acme.row(incident)
    assert (row["agreement"], row["state"]) == (DEFAULT_AGREEMENT, "running")


async def test_a_revision_without_a_target_for_it_ends_the_clock(acme: ServiceLevels) -> None:
    incident = await acme.open()
    await revise(acme, gold(4, targets=[{"priority": 1, "response_seconds": HOUR}]))
    await apply(acme)
    await work_off(acme)
    assert (await acme.names(incident))[-1] == "SLAClockCancelled@0"
    assert (await acme.row(incident, "response"))["agreement_revision"] == 2
    assert await acme.timers(incident) == {}


async def test_a_few_clocks_at_a_time_and_each_once(acme: ServiceLevels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "BATCH", 3)
    for n in range(5):
        await acme.open(f"incident-{n}", number=f"INC000000{n}")
    await revise(acme, gold(8))
    await apply(acme)
    assert await work_off(acme) == 4
    await apply(acme)  # again: nothing is left
    assert await work_off(acme) == 1
    for n in range(5):
        names = [one.name for one in await acme.history(f"incident-{n}")]
        assert names.count("SLAClockTermsChanged") == 1


async def test_an_application_that_makes_no_sense_is_refused(acme: ServiceLevels) -> None:
    assert (await apply(acme, status=409))["code"] == "revision_not_latest"
    await apply(acme, status=404, of=DEFAULT_CALENDAR)
    await apply(acme, status=404, of="00000000-0000-7000-8000-00000000dead")
    await apply(acme, status=422, revision=0)
    await apply(acme, status=422, revision="1")
    await apply(acme, status=422, revision=1, more=True)
    await apply(acme, status=403, revision=1, headers=acme.headers("agent"))
    elsewhere = acme.headers("lead", organisations=["globex"])
    await apply(acme, status=404, revision=1, headers=elsewhere)
    await apply(acme, status=403, of=DEFAULT_AGREEMENT, revision=1, headers=elsewhere)
