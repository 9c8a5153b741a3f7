"""Who may do what on the embedded servers (D11, D15): each service its own, and no more."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import nats
import pytest
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig
from nats.js.errors import APIError
from tests.support import holder

from opsledger_events.subjects import ALL_EVENTS, ALL_RELAYS, STREAM, event_subject, relay_subject
from opsledger_runtime.embedded.platform import EmbeddedPlatform
from opsledger_runtime.migrations import MigrationSet, migrate


@pytest.fixture(scope="module")
async def platform() -> AsyncIterator[EmbeddedPlatform]:
    folder = Path(tempfile.mkdtemp(prefix="opsledger-access-"))
    os.chmod(folder, 0o711)  # noqa: S103 - a system user passes through to its own folder
    started = holder.platform(folder / "data")
    await started.start()
    admin = await connect_admin(started)
    js = admin.jetstream()
    await js.add_stream(StreamConfig(name=STREAM, subjects=[ALL_EVENTS], allow_direct=True, allow_atomic=True))
    for durables in holder.DURABLES.values():
        for durable in durables:
            await js.add_consumer(STREAM, ConsumerConfig(durable_name=durable, ack_policy=AckPolicy.ALL))
    await admin.close()
    yield started
    await started.stop()
    shutil.rmtree(folder, ignore_errors=True)


async def connect_admin(platform: EmbeddedPlatform) -> Client:
    url, user, password = platform.admin()
    return await nats.connect(url, user=user, password=password)


class Login:
    """A service's connection, with what the server complained about."""

    def __init__(self, platform: EmbeddedPlatform, context: str) -> None:
        self._access = platform.access(context)
        self._context = context
        self.refused: list[str] = []

    async def __aenter__(self) -> "Login":
        async def complain(error: Exception) -> None:
            self.refused.append(str(error))

        self.client = await nats.connect(
            self._access.nats_url,
            user=self._access.nats_user,
            password=self._access.nats_password,
            inbox_prefix=f"_INBOX_{self._context}".encode(),
            error_cb=complain,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()

    async def is_refused(self, subject: str) -> bool:
        """Publish, and see whether the server complains before it answers a round trip."""
        before = len(self.refused)
        await self.client.publish(subject, b"{}")
        await self.answered()
        return len(self.refused) > before

    async def answered(self) -> None:
        """Return once the server has answered all that was sent, its complaints included.

        Two round trips: nats-py writes a PING ahead of what is still pending, so the first PONG may
        come before the server has read it; the second PING follows it on the wire.
        """
        await self.client.flush()
        await self.client.flush()


def happened(context: str) -> str:
    return event_subject(f"opsledger.{context}.Happened.v1", "1")


async def test_a_login_is_needed(platform: EmbeddedPlatform) -> None:
    with pytest.raises(Exception, match="Authorization"):
        await nats.connect(platform.nats.url(), allow_reconnect=False)


async def test_a_service_publishes_its_own_context(platform: EmbeddedPlatform) -> None:
    async with Login(platform, "alpha") as alpha:
        ack = await alpha.client.jetstream().publish(happened("alpha"), b"{}", timeout=5)
        assert ack.stream == STREAM
        assert not await alpha.is_refused(relay_subject("alpha"))


@pytest.mark.parametrize(
    "subject",
    [
        happened("beta"),
        relay_subject("beta"),
        f"$JS.API.STREAM.DELETE.{STREAM}",
        f"$JS.API.STREAM.PURGE.{STREAM}",
        f"$JS.API.STREAM.UPDATE.{STREAM}",
        f"$JS.API.STREAM.MSG.DELETE.{STREAM}",
        "$JS.API.STREAM.CREATE.MORE",
        f"$JS.API.CONSUMER.CREATE.{STREAM}.alpha_watch_c",
        f"$JS.API.CONSUMER.DELETE.{STREAM}.alpha_watch_a",
        f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.beta_watch_a",
        f"$JS.API.CONSUMER.RESET.{STREAM}.beta_watch_a",
        f"$JS.ACK.{STREAM}.beta_watch_a.1.1.1.1.0",
        "$SYS.REQ.SERVER.PING",
    ],
)
async def test_a_service_may_not_touch_anything_of_others(platform: EmbeddedPlatform, subject: str) -> None:
    async with Login(platform, "alpha") as alpha:
        assert await alpha.is_refused(subject)


@pytest.mark.parametrize("subject", [ALL_EVENTS, "_INBOX_beta.>", "_INBOX.>", ">", "$JS.EVENT.ADVISORY.>"])
async def test_a_service_may_not_listen_to_anything_of_others(platform: EmbeddedPlatform, subject: str) -> None:
    async with Login(platform, "alpha") as alpha:
        await alpha.client.subscribe(subject)
        await alpha.answered()
        assert alpha.refused, subject


async def test_a_service_hears_every_relay(platform: EmbeddedPlatform) -> None:
    async with Login(platform, "alpha") as alpha, Login(platform, "beta") as beta:
        heard = await alpha.client.subscribe(ALL_RELAYS)
        await alpha.answered()
        await beta.client.publish(relay_subject("beta"), b"{}")
        assert (await heard.next_msg(timeout=5)).subject == relay_subject("beta")


async def test_a_service_drives_its_own_durables(platform: EmbeddedPlatform) -> None:
    async with Login(platform, "alpha") as alpha:
        js = alpha.client.jetstream()
        await js.publish(happened("alpha"), b'{"n": 1}', timeout=5)
        assert (await js.stream_info(STREAM)).config.name == STREAM
        assert (await js.consumer_info(STREAM, "alpha_watch_a")).name == "alpha_watch_a"
        await js.reset_consumer(STREAM, "alpha_watch_a", seq=1)
        pull = await js.pull_subscribe_bind("alpha_watch_a", STREAM, inbox_prefix=b"_INBOX_alpha.")
        [message] = await pull.fetch(1, timeout=5)
        await message.ack_sync(timeout=5)
        assert (await js.consumer_info(STREAM, "alpha_watch_a")).ack_floor.stream_seq == 1  # type: ignore[union-attr]
        last = await js.get_last_msg(STREAM, happened("alpha"))
        assert last.subject == happened("alpha")
        direct = await js.get_msg(STREAM, seq=1, direct=True)
        assert direct.data is not None


async def test_admin_alone_provisions(platform: EmbeddedPlatform) -> None:
    admin = await connect_admin(platform)
    try:
        with pytest.raises(APIError):
            await admin.jetstream().delete_stream("NOT_THERE")
    finally:
        await admin.close()


async def connected(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(url)


@pytest.fixture(scope="module")
async def migrated(platform: EmbeddedPlatform) -> str:
    access = platform.access("alpha")
    await migrate(access.owner_database_url, [MigrationSet("opsledger_runtime", ("es",))], "alpha_app")
    return access.database_url


@pytest.mark.parametrize(
    "statement",
    [
        "update es.event set type = 'x'",
        "delete from es.event",
        "truncate es.event cascade",
        "update es.publication set no = 2",
        "delete from es.publication",
        "truncate es.publication",
        "drop table es.event cascade",
        "alter table es.event add column more int",
        "create table es.mine (id int)",
        "create table public.mine (id int)",
        "create schema mine",
        "create trigger t before insert on es.event execute function suppress_redundant_updates_trigger()",
        "set role alpha_owner",
        "set session authorization alpha_owner",
    ],
)
async def test_an_application_role_cannot_change_facts_or_tables(migrated: str, statement: str) -> None:
    connection = await connected(migrated)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_an_application_role_appends_and_reads(migrated: str) -> None:
    connection = await connected(migrated)
    try:
        await connection.execute(
            "insert into es.event values (gen_random_uuid(), 'a', 1, 't', $1, $1, gen_random_uuid(), '', '', '')",
            await connection.fetchval("select clock_timestamp()"),
        )
        assert await connection.fetchval("select count(*) from es.event") == 1
        assert await connection.fetchval("show idle_in_transaction_session_timeout") == "10s"
        assert await connection.fetchval("show lock_timeout") == "5s"
    finally:
        await connection.close()


async def test_no_role_enters_another_contexts_database(platform: EmbeddedPlatform) -> None:
    beta = platform.access("beta")
    for url in (beta.database_url, beta.owner_database_url, str(platform.reader_url())):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connected(url.replace("/opsledger_beta", "/opsledger_alpha"))


async def test_the_reader_reads_its_schema_and_nothing_else(platform: EmbeddedPlatform) -> None:
    access = platform.access("beta")
    owner: Any = await connected(access.owner_database_url)
    await owner.execute("create table mart.figures (n int); insert into mart.figures values (7)")
    await owner.execute("create schema hidden; create table hidden.figures (n int)")
    await owner.close()
    reader: Any = await connected(str(platform.reader_url()))
    try:
        assert await reader.fetchval("select n from figures") == 7
        assert await reader.fetchval("show statement_timeout") == "30s"
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await reader.execute("create table mart.mine (n int)")
        await reader.execute("set default_transaction_read_only = off")
        for statement in (
            "insert into figures values (1)",
            "create table mart.mine (n int)",
            "select * from hidden.figures",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await reader.execute(statement)
    finally:
        await reader.close()


async def test_a_second_start_changes_no_password(platform: EmbeddedPlatform) -> None:
    from opsledger_runtime.embedded.databases import create_databases

    await create_databases(platform.postgres.url(), platform.contexts, platform.secrets)
    await (await connected(platform.access("alpha").database_url)).close()
