"""The mart's tables as BI tools see them, and the way of events into them."""

from datetime import date
from typing import Any

import asyncpg
import pytest
from tests.support.mart import apply, mart
from tests.support.stories import START, Story, about, batches, interleaved, opened, random_story, started

from opsledger_events.contexts import incident as i
from opsledger_runtime.projections import digest
from reporting.projections.columns import RowTable
from reporting.projections.items import ITEMS
from reporting.projections.mart import (
    ALERTS,
    CLOCKS,
    EVENTS,
    INCIDENTS,
    MART,
    NOTIFICATIONS,
    STRETCHES,
)

EMPTY = f"truncate {', '.join(table.name for table in MART.tables)}"


async def test_every_table_and_column_says_what_it_is(database: str) -> None:
    async with mart(database) as store:
        silent = await store.pool.fetch(
            """
            select c.oid::regclass::text as relation, a.attname as column
            from pg_class c
            left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            where c.relnamespace = any('{mart,reporting}'::regnamespace[]) and c.relkind in ('r', 'v', 'm', 'p')
              and (coalesce(obj_description(c.oid, 'pg_class'), '') = ''
                   or coalesce(col_description(c.oid, a.attnum), '') = '')
            """
        )
    assert [tuple(row) for row in silent] == []


async def test_bi_reader_reads_the_mart_and_nothing_else(database: str) -> None:
    async with mart(database) as store:
        async with store.pool.acquire() as owner:
            tables = await owner.fetch(
                "select schemaname || '.' || tablename from pg_tables where schemaname in ('es', 'reporting')"
            )
            shown = await owner.fetch(
                "select relname from pg_class where relnamespace = 'mart'::regnamespace and relkind in ('r', 'v')"
            )
        async with store.pool.acquire() as reader, reader.transaction():
            await reader.execute("set local role bi_reader")
            for row in shown:
                if row["relname"] != "schema_migration":
                    await reader.fetch(f"select * from mart.{row['relname']} limit 1")
            refused = [
                *(f"select * from {row[0]} limit 1" for row in tables),
                "select * from mart.schema_migration",
                "insert into mart.dim_priority values (9, 9, '', '')",
                "update mart.fact_incident set title = ''",
                "delete from mart.fact_incident",
                "truncate mart.fact_incident",
                "create table mart.own (x integer)",
                "create table reporting.own (x integer)",
            ]
            for statement in refused:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    async with reader.transaction():
                        await reader.execute(statement)


async def test_calendar_has_every_day_and_agrees_with_the_library(database: str) -> None:
    async with mart(database) as store:
        rows = await store.pool.fetch("select * from dim_date where date_key > 0 order by date_key")
        nothing = await store.pool.fetchrow("select * from dim_date where date_key = -1")
    assert (rows[0]["date"], rows[-1]["date"]) == (date(2000, 1, 1), date(2049, 12, 31))
    assert len(rows) == (date(2049, 12, 31) - date(2000, 1, 1)).days + 1
    for row in rows:
        day = row["date"]
        assert (row["iso_year"], row["iso_week"], row["day_of_week"]) == day.isocalendar()
        assert row["date_key"] == int(day.strftime("%Y%m%d"))
        assert row["is_weekend"] == (day.isoweekday() > 5)
    sunday = next(row for row in rows if row["date_key"] == 20261122)
    assert (sunday["date_label_zh"], sunday["weekday_label_zh"]) == ("2026年11月22日", "星期日")
    assert (sunday["date_label_en"], sunday["quarter_label_en"]) == ("22 November 2026", "Q4 2026")
    assert (sunday["quarter_label_zh"], sunday["month_label_zh"]) == ("2026年第4季度", "2026年11月")
    assert (sunday["year_week"], sunday["weekday_label_en"]) == ("2026-W47", "Sunday")
    assert nothing is not None
    assert nothing["date"] is None


@pytest.mark.parametrize(
    "table",
    [INCIDENTS, CLOCKS, NOTIFICATIONS, EVENTS, STRETCHES, ALERTS, ITEMS],
    ids=lambda table: table.row_type,
)
async def test_row_types_have_the_columns_of_the_row_classes_in_their_order(
    database: str, table: RowTable[Any]
) -> None:
    async with mart(database) as store:
        rows = await store.pool.fetch(
            "select attname, format_type(atttypid, atttypmod) as type from pg_attribute"
            " where attrelid = ('reporting.' || $1)::regclass and attnum > 0 order by attnum",
            table.row_type,
        )
    assert [tuple(row) for row in rows] == list(table.columns.items())


@pytest.mark.parametrize("table", [INCIDENTS, CLOCKS, NOTIFICATIONS], ids=lambda table: table.row_type)
async def test_rows_are_found_by_index_however_empty_the_table_was_when_it_was_planned(
    database: str, table: RowTable[Any]
) -> None:
    async with mart(database) as store:
        plan = await store.pool.fetch(f"explain {table.loading}", ["a"] * 500)
    assert any("Index Scan using" in row[0] for row in plan), plan


async def test_events_shuffled_across_contexts_give_the_same_digest(database: str) -> None:
    story = random_story(20, 60)
    async with mart(database) as store:
        await apply(store, [story.envelopes])
        async with store.pool.acquire() as connection:
            straight = await digest(connection, MART, "mart")
            for seed in range(1, 6):
                await connection.execute(EMPTY)
                await apply(store, batches(interleaved(story, seed), seed))
                assert await digest(connection, MART, "mart") == straight


async def test_half_way_digest_depends_only_on_what_each_context_has_announced(database: str) -> None:
    story = random_story(21, 40)
    per_context = story.by_context()
    told = {context: found[: len(found) // 2] for context, found in per_context.items()}
    async with mart(database) as store, store.pool.acquire() as connection:
        digests = set()
        for order in (
            ("incident", "sla", "notify", "cmdb"),
            ("notify", "sla", "cmdb", "incident"),
            ("cmdb", "sla", "incident", "notify"),
        ):
            await connection.execute(EMPTY)
            await apply(store, [told[context] for context in order])
            digests.add(await digest(connection, MART, "mart"))
    assert len(digests) == 1


async def test_copy_filled_in_another_schema_equals_the_mart_and_keeps_the_keys(database: str) -> None:
    story = random_story(22, 40)
    async with mart(database) as store, store.pool.acquire() as connection:
        await apply(store, batches(story.envelopes, 1))
        await connection.execute("create schema copy")
        for table in MART.tables:
            await connection.execute(f"create table copy.{table.name} (like mart.{table.name} including all)")
        async with connection.transaction():
            await connection.execute("set local search_path = copy, mart, reporting, es")
            for batch in batches(interleaved(story, 5), 5):
                await MART.apply(connection, batch)
        assert await digest(connection, MART, "copy") == await digest(connection, MART, "mart")
        moved = await connection.fetch(
            "select team from copy.dim_team full join mart.dim_team using (team, team_key) "
            "where copy.dim_team.team is null or mart.dim_team.team is null"
        )
        assert moved == []


async def test_every_fact_joins_its_dimensions(database: str) -> None:
    story = random_story(23, 80)
    shuffled = interleaved(story, 9)
    async with mart(database) as store:
        await apply(store, batches(shuffled[: len(shuffled) // 2], 2))
        for fact, joins in (
            ("fact_incident", ("opened_date_key", "resolved_date_key", "closed_date_key")),
            ("fact_sla_clock", ("started_date_key", "decided_date_key")),
            ("fact_notification", ("requested_date_key",)),
            ("fact_incident_event", ("occurred_date_key",)),
            ("fact_incident_stretch", ()),
            ("fact_alert", ("began_date_key",)),
            ("fact_backlog_daily", ("date_key",)),
        ):
            everything = await store.pool.fetchval(f"select count(*) from {fact}")
            dimensions = "join dim_team t using (team_key)"
            if fact != "fact_notification":
                dimensions += " join dim_priority p using (priority_key)"
                dimensions += " join dim_organisation o using (organisation_key) join dim_service v using (service_key)"
            if fact == "fact_sla_clock":
                dimensions += " join dim_team m on m.team_key = f.party_key and m.team = coalesce(f.party, '')"
            dates = " ".join(f"join dim_date d{at} on d{at}.date_key = f.{key}" for at, key in enumerate(joins))
            assert everything > 0
            assert await store.pool.fetchval(f"select count(*) from {fact} f {dimensions} {dates}") == everything
        orphans = "select count(*) from fact_sla_clock where incident_id not in (select incident_id from fact_incident)"
        assert await store.pool.fetchval(orphans) == 0


async def test_stub_of_an_unknown_incident_is_filled_when_it_is_opened(database: str) -> None:
    story = Story()
    story.tell("clock-1", started(about("incident-1", 7, "response"), START, 900), START)
    async with mart(database) as store:
        await apply(store, [story.envelopes])
        stub = await store.pool.fetchrow("select number, state, opened_date_key from fact_incident")
        assert stub is not None
        assert tuple(stub) == ("INC0000007", "unknown", -1)
        await apply(store, [[story.tell("incident-1", opened(7, title="核心交换机 🔥"), START)]])
        row = await store.pool.fetchrow("select number, state, title, opened_date_key from fact_incident")
        assert row is not None
        assert tuple(row) == ("INC0000007", "new", "核心交换机 🔥", 20261001)


async def test_freshness_shows_how_far_each_source_was_followed(database: str) -> None:
    story = Story()
    story.tell("incident-1", opened(1), START)
    story.tell("incident-1", i.IncidentStarted(), START)
    async with mart(database) as store:
        before = await store.pool.fetch("select * from freshness order by source_context")
        assert [row["source_context"] for row in before] == ["cmdb", "incident", "notify", "sla"]
        assert {row["statement"] for row in before} == {"nothing yet (尚无数据)"}
        await apply(store, [story.envelopes])
        row = await store.pool.fetchrow("select * from freshness where source_context = 'incident'")
        assert row is not None
        assert (row["applied_number"], row["last_event_at"]) == (2, START)
        assert row["statement"].startswith("events up to 2026-10-01 09:00:00 Asia/Shanghai")
        assert row["statement"].endswith("(数据截至上述时间)")
        await store.pool.execute(
            """insert into es.checkpoint (subscription, version, sequences) values ('mart', 1, '{"incident": 9}')"""
        )
        assert await store.pool.fetchval("select applied_number from freshness where source_context = 'incident'") == 9
