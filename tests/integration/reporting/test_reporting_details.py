"""Detailed facts, versions of items, and the backlog of each day, against the same computed anew from the events."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from tests.support import figures
from tests.support.mart import apply, mart
from tests.support.stories import START, Story, batches, interleaved, item, opened, random_story

from opsledger_events.contexts import cmdb as c
from opsledger_events.contexts import incident as i
from opsledger_runtime.projections import digest
from reporting.projections.mart import MART

SHANGHAI = timezone(timedelta(hours=8))
EMPTY = f"truncate {', '.join(table.name for table in MART.tables)}"


def hours(count: float) -> datetime:
    return START + timedelta(hours=count)


async def test_an_incident_that_was_reopened_was_not_in_the_backlog_while_it_was_resolved(database: str) -> None:
    story = Story()
    story.tell("a", opened(1, team="network"), hours(0))  # 2026-10-01 09:00 in Shanghai
    story.tell("a", i.IncidentResolved(responsibility="provider", resolution="x"), hours(30))
    story.tell("a", i.IncidentReopened(reason="again"), hours(24 * 4))
    story.tell("a", i.IncidentAssigned(team="database"), hours(24 * 5))
    story.tell("a", i.IncidentNoted(text="x"), hours(24 * 6))
    async with mart(database) as store:
        await apply(store, batches(story.envelopes, 3, 1))
        rows = await store.pool.fetch(
            "select local_date, team, open_count, age_seconds, opened_count, resolved_count, reopened_count,"
            " age_under_1_day, age_1_to_3_days, age_3_to_7_days from fact_backlog_daily order by local_date, team"
        )
    day = 86400
    assert [tuple(row) for row in rows] == [
        (date(2026, 10, 1), "network", 1, 15 * 3600, 1, 0, 0, 1, 0, 0),
        (date(2026, 10, 2), "network", 0, 0, 0, 1, 0, 0, 0, 0),
        (date(2026, 10, 5), "network", 1, 4 * day + 15 * 3600, 0, 0, 1, 0, 0, 1),
        (date(2026, 10, 6), "database", 1, 5 * day + 15 * 3600, 0, 0, 0, 0, 0, 1),
        (date(2026, 10, 7), "database", 1, 6 * day + 15 * 3600, 0, 0, 0, 0, 0, 1),
    ]


@pytest.mark.parametrize("seed", [41, 42])
async def test_backlog_of_each_day_is_what_the_events_say(database: str, seed: int) -> None:
    story = random_story(seed, 60)
    last = max(envelope.time for envelope in story.envelopes if envelope.context == "incident")
    async with mart(database) as store:
        await apply(store, batches(interleaved(story, seed), seed, 12))
        rows = await store.pool.fetch("select * from fact_backlog_daily")
        await store.pool.execute(EMPTY)
        # Told incident by incident, as an imported history is: days that are told already change.
        by_incident = sorted(story.by_context()["incident"], key=lambda found: (found.subject, found.aggregateversion))
        await apply(store, batches(by_incident, seed, 12))
        assert await store.pool.fetch("select * from fact_backlog_daily order by 1, 2, 3, 4, 5") == sorted(
            rows, key=lambda row: tuple(row)[:5]
        )
    found = {
        (row["local_date"], row["priority_key"], row["team"], row["organisation"], row["service"]): row for row in rows
    }
    day, seen = START.astimezone(SHANGHAI).date(), 0
    while day <= last.astimezone(SHANGHAI).date():
        end = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI) + timedelta(days=1)
        wanted: Counter[tuple[object, ...]] = Counter()
        ages: Counter[tuple[object, ...]] = Counter()
        for one in figures.open_at(story.envelopes, end):
            key = (day, one["priority"], one["team"] or "", one["organisation"], one["service"] or "")
            wanted[key] += 1
            ages[key] += int((end - one["opened_at"]).total_seconds())
        told = {key: row for key, row in found.items() if key[0] == day and row["open_count"]}
        assert {key: row["open_count"] for key, row in told.items()} == wanted
        assert {key: row["age_seconds"] for key, row in told.items()} == ages
        names = ("age_under_1_day", "age_1_to_3_days", "age_3_to_7_days", "age_7_to_30_days", "age_over_30_days")
        assert all(sum(row[name] for name in names) == row["open_count"] for row in told.values())
        seen += sum(wanted.values())
        day += timedelta(days=1)
    assert seen > 100
    counted = Counter(envelope.name for envelope in story.envelopes if envelope.context == "incident")
    for name, event in (("opened", "Opened"), ("resolved", "Resolved"), ("reopened", "Reopened")):
        assert sum(row[f"{name}_count"] for row in rows) == counted[f"Incident{event}"]


async def test_every_event_of_an_incident_is_there_with_its_id_and_the_state_after_it(database: str) -> None:
    story = random_story(43, 40)
    told = story.by_context()["incident"]
    async with mart(database) as store:
        await apply(store, batches(interleaved(story, 3), 3))
        rows = await store.pool.fetch("select * from fact_incident_event order by incident_id, version")
        states = dict(await store.pool.fetch("select incident_id, state from fact_incident where state <> 'unknown'"))
    assert {row["event_id"] for row in rows} == {str(envelope.id) for envelope in told}
    before = {}
    by_id = {str(envelope.id): envelope for envelope in told}
    for row in rows:
        envelope = by_id[row["event_id"]]
        assert (row["event_type"], row["occurred_at"], row["actor"]) == (envelope.name, envelope.time, envelope.actor)
        last = before.get(row["incident_id"])
        gap = None if last is None else int((envelope.time - last["occurred_at"]).total_seconds())
        assert row["seconds_since_previous"] == gap
        before[row["incident_id"]] = row
    assert {key: row["state_after"] for key, row in before.items()} == states


async def test_each_episode_of_firing_has_a_row(database: str) -> None:
    story = Story()
    alert = {"alert_fingerprint": "f1", "alert_source": "prometheus", "alert_started_at": hours(-1)}
    story.tell("a", opened(1, **alert), hours(0))
    for at, state in ((1, "firing"), (2, "resolved"), (3, "resolved"), (4, "firing"), (6, "resolved"), (7, "firing")):
        event = i.IncidentAlertStateChanged(fingerprint="f1", state=state, occurred_at=hours(at))  # type: ignore[arg-type]
        story.tell("a", event, hours(at))
    async with mart(database) as store:
        await apply(store, batches(story.envelopes, 5, 2))
        rows = await store.pool.fetch(
            "select episode_no, began_at, ended_at, seconds_firing, opened_incident from fact_alert order by 1"
        )
    assert [tuple(row) for row in rows] == [
        (1, hours(-1), hours(2), 3 * 3600, True),
        (2, hours(4), hours(6), 2 * 3600, False),
        (3, hours(7), None, None, False),
    ]


async def test_versions_of_an_item_follow_one_another_without_gap(database: str) -> None:
    story = Story()
    story.tell(
        "class-1", c.ConfigurationItemClassDefined(key="server", name_zh="服务器", name_en="S", revision=1), START
    )
    story.tell("item-1", c.ConfigurationItemRegistered(**item("db-1", owner_team="dba")), hours(1))
    story.tell("item-1", c.ConfigurationItemCommissioned(key="db-1"), hours(2))  # changes nothing
    story.tell("item-1", c.ConfigurationItemOwnerNamed(key="db-1", owner_team="network"), hours(3))
    story.tell("item-1", c.ConfigurationItemRetired(key="db-1"), hours(4))
    async with mart(database) as store:
        await apply(store, batches(story.envelopes, 7, 2))
        rows = await store.pool.fetch(
            "select version, owner_team, lifecycle, valid_from, nullif(valid_to, 'infinity') as valid_to, is_current"
            " from dim_configuration_item where item_id = 'item-1' order by version"
        )
        joined = "select count(*) from dim_configuration_item i join dim_team t on t.team_key = i.owner_team_key"
        assert await store.pool.fetchval(joined) == 4
    assert [tuple(row) for row in rows] == [
        (1, "dba", "operational", hours(1), hours(3), False),
        (2, "network", "operational", hours(3), hours(4), False),
        (3, "network", "retired", hours(4), None, True),
    ]


async def test_a_service_is_named_by_incidents_and_described_by_its_item_in_either_order(database: str) -> None:
    def tell(order: int) -> Story:
        story = Story()
        told = [
            ("a", opened(1, service="shop")),
            ("b", opened(2, service="only-named")),
            (
                "class-1",
                c.ConfigurationItemClassDefined(key="app", name_zh="应用", name_en="A", is_service=True, revision=1),
            ),
            ("item-1", c.ConfigurationItemRegistered(**item("shop", item_class="app", owner_team="web"))),
        ]
        for at, (subject, event) in enumerate(told[order:] + told[:order]):
            story.tell(subject, event, hours(at))
        return story

    found = []
    async with mart(database) as store:
        for order in (0, 2):
            await store.pool.execute(EMPTY)
            await apply(store, batches(tell(order).envelopes, order, 2))
            found.append(
                await store.pool.fetch(
                    "select service, name, is_registered, owner_team from dim_service where service <> '' order by 1"
                )
            )
    assert found[0] == found[1]
    assert [tuple(row) for row in found[0]] == [
        ("only-named", "only-named", False, None),
        ("shop", "shop 名称", True, "web"),
    ]


async def test_imported_and_grouped_incidents_say_so(database: str) -> None:
    story = Story()
    story.tell("a", opened(1, external_system="servicenow", external_number="INC0000045"), hours(0))
    story.tell("a", i.IncidentGrouped(parent="p", parent_number="INC0000009", path=["x", "y"]), hours(1))
    story.tell("a", i.IncidentHeld(reason="awaiting_requester"), hours(2))
    async with mart(database) as store:
        await apply(store, [story.envelopes])
        row = await store.pool.fetchrow(
            "select external_system, external_number, parent_incident_id, parent_number, hold_count from fact_incident"
        )
    assert row is not None
    assert tuple(row) == ("servicenow", "INC0000045", "p", "INC0000009", 1)


async def test_keys_of_all_dimensions_survive_a_rebuild(database: str) -> None:
    story = random_story(44, 30)
    async with mart(database) as store:
        await apply(store, batches(story.envelopes, 1))
        keys = await store.pool.fetch("select organisation, organisation_key from dim_organisation order by 1")
        versions = "select item_id, version, configuration_item_key from dim_configuration_item where item_id <> ''"
        items = await store.pool.fetch(f"{versions} order by 1, 2")
        async with store.pool.acquire() as connection:
            before = await digest(connection, MART, "mart")
            await connection.execute(EMPTY)
            await apply(store, batches(interleaved(story, 8), 8))
            assert await digest(connection, MART, "mart") == before
        assert await store.pool.fetch("select organisation, organisation_key from dim_organisation order by 1") == keys
        assert await store.pool.fetch(f"{versions} order by 1, 2") == items
    assert len(items) > 12


async def test_instants_far_away_do_no_harm(database: str) -> None:
    story = Story()
    for number, year in enumerate((1, 1970, 2026, 9999), 1):
        told = story.tell(f"incident-{number}", opened(number), START)
        told = replace(told, time=datetime(year, 12, 31, 23, 59, tzinfo=UTC))
        story.envelopes[-1] = told
    async with mart(database) as store:
        await apply(store, [[told] for told in story.envelopes])
        last, first = await store.pool.fetchrow("select max(local_date), min(local_date) from fact_backlog_daily") or ()
        assert (first, last) == (date(2000, 1, 1), date(2049, 12, 31))
        known = await store.pool.fetchval(
            "select sum(open_count) from fact_backlog_daily where local_date = '2026-09-30'"
        )
        assert known == 2
        assert await store.pool.fetchval("select count(*) from fact_incident_event") == 4
