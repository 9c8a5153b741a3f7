"""The fixtures that every other integration test stands on."""

import asyncpg
import nats


async def test_a_database_is_fresh_and_empty(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        assert (
            await connection.fetchval("select count(*) from pg_class where relnamespace = 'public'::regnamespace") == 0
        )
        await connection.execute("create table left_behind (id int)")
    finally:
        await connection.close()


async def test_the_next_database_does_not_see_the_last_one(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        assert await connection.fetchval("select to_regclass('left_behind')") is None
    finally:
        await connection.close()


async def test_postgres_is_the_major_version_that_production_states(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        assert connection.get_server_version().major >= 18
    finally:
        await connection.close()


async def test_fresh_nats_has_no_stream(fresh_nats: str) -> None:
    client = await nats.connect(fresh_nats)
    try:
        assert await client.jetstream().streams_info() == []
        await client.jetstream().add_stream(name="LEFT", subjects=["left.>"])
    finally:
        await client.close()


async def test_fresh_nats_forgets_streams_of_the_last_test(fresh_nats: str) -> None:
    client = await nats.connect(fresh_nats)
    try:
        assert await client.jetstream().streams_info() == []
    finally:
        await client.close()
