"""The embedded platform as a whole: what it leaves running, cleans up, and says when it cannot start."""

import asyncio
import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from tests.support import holder

from opsledger_runtime.embedded.problems import CannotStart
from opsledger_runtime.embedded.processes import port_is_free

HOLDER = Path(holder.__file__)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder that a system user may pass to, unlike pytest's own."""
    parent = Path(tempfile.mkdtemp(prefix="opsledger-platform-"))
    parent.chmod(0o777)
    yield parent / "data"
    shutil.rmtree(parent, ignore_errors=True)


@asynccontextmanager
async def holding(folder: Path, *prefix: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    process = await asyncio.create_subprocess_exec(
        *prefix, sys.executable, "-P", str(HOLDER), str(folder), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        said = await asyncio.wait_for(process.stdout.readline(), 90)
        yield process, json.loads(said)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), 60)


def runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def test_it_starts_stops_and_goes_on_from_the_same_data(folder: Path) -> None:
    first = holder.platform(folder)
    await first.start()
    owner = await asyncpg.connect(first.access("alpha").owner_database_url)
    await owner.execute(
        "create schema alpha; create table alpha.kept (text text); insert into alpha.kept values ('中文')"
    )
    await owner.close()
    children = [first.postgres.child, first.nats.child]
    await first.stop()
    assert not any(child is not None and child.alive() for child in children)
    assert not (folder / "postgres" / "cluster" / "postmaster.pid").exists(), "Postgres was not stopped cleanly"

    second = holder.platform(folder)
    await second.start()
    try:
        assert (second.postgres.port, second.nats.port) == (first.postgres.port, first.nats.port)
        owner = await asyncpg.connect(second.access("alpha").owner_database_url)
        assert await owner.fetchval("select text from alpha.kept") == "中文"
        assert await owner.fetchval("show fsync") == "on"
        await owner.close()
    finally:
        await second.stop()


async def test_files_with_secrets_are_closed_to_others(folder: Path) -> None:
    platform = holder.platform(folder)
    await platform.start()
    try:
        for file in (folder / "secrets.json", folder / "nats" / "nats.conf"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        for inside in (folder / "postgres", folder / "nats"):
            assert stat.S_IMODE(inside.stat().st_mode) == 0o700
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(platform.postgres.url().replace(platform.secrets.password("postgres"), "guess"))
    finally:
        await platform.stop()


async def test_children_of_a_killed_run_are_ended_and_the_next_run_goes_on(folder: Path) -> None:
    async with holding(folder) as (process, said):
        process.kill()
        await process.wait()
        assert all(runs(pid) for pid in said["pids"]), "children live in a session of their own"
        async with holding(folder) as (_, again):
            assert not any(runs(pid) for pid in said["pids"])
            assert again["database"] == said["database"], "the ports are the same"
            connection = await asyncpg.connect(again["database"])
            await connection.close()
        assert not any(runs(pid) for pid in again["pids"])


async def test_children_whose_pid_file_was_never_written_are_found(folder: Path) -> None:
    async with holding(folder) as (process, said):
        process.kill()
        await process.wait()
        (folder / "postgres" / "postgres.pid").unlink()
        (folder / "nats" / "nats.pid").unlink()
        async with holding(folder) as (_, again):
            assert "pids" in again
            assert not any(runs(pid) for pid in said["pids"])


async def test_a_stranger_with_the_number_of_a_pid_file_is_left_alone(folder: Path) -> None:
    stranger = subprocess.Popen(  # noqa: ASYNC220 - starting it takes no time
        [sys.executable, "-c", "import time; time.sleep(600)"]
    )
    try:
        (folder / "postgres").mkdir(parents=True)
        (folder / "postgres" / "postgres.pid").write_text(json.dumps({"pid": stranger.pid, "marker": "x"}))
        async with holding(folder) as (_, said):
            assert "pids" in said
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_a_folder_in_use_is_refused_with_the_holder_named(folder: Path) -> None:
    async with holding(folder) as (process, _):
        with pytest.raises(CannotStart, match=rf"in use by another run of Opsledger \(process {process.pid}\)"):
            await holder.platform(folder).start()
        async with holding(folder) as (_, said):
            assert "in use by another run" in said["cannot"]


async def test_a_remembered_port_that_somebody_took_is_replaced(folder: Path) -> None:
    first = holder.platform(folder)
    await first.start()
    taken = first.nats.port
    await first.stop()
    squatter = await asyncio.start_server(lambda *_: None, "127.0.0.1", taken)
    second = holder.platform(folder)
    try:
        await second.start()
        assert second.nats.port != taken
    finally:
        await second.stop()
        squatter.close()
        await squatter.wait_closed()
    assert port_is_free(taken)


async def test_another_major_version_in_the_folder_is_named(folder: Path) -> None:
    first = holder.platform(folder)
    await first.start()
    await first.stop()
    (folder / "postgres" / "cluster" / "PG_VERSION").write_text("17\n")
    with pytest.raises(CannotStart, match="made by Postgres 17; this Opsledger brings Postgres 18"):
        await holder.platform(folder).start()
    async with holding(folder) as (_, said):
        assert "17" in said["cannot"], "the lock was let go after the failure"


async def test_a_lost_secrets_file_is_named(folder: Path) -> None:
    first = holder.platform(folder)
    await first.start()
    await first.stop()
    (folder / "secrets.json").unlink()
    with pytest.raises(CannotStart, match=r"secrets\.json is missing"):
        await holder.platform(folder).start()


async def test_an_interrupted_initdb_is_begun_again(folder: Path) -> None:
    half = folder / "postgres" / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    async with holding(folder) as (_, said):
        assert "pids" in said


async def test_a_server_that_dies_is_started_again_by_the_watch(folder: Path) -> None:
    platform = holder.platform(folder)
    await platform.start()
    told: list[str] = []
    watch = asyncio.create_task(platform.watch(told.append))
    try:
        for server in (platform.nats, platform.postgres):
            assert server.child is not None
            server.child.kill()
            async with asyncio.timeout(30):
                while not (server.child.alive() and server.answers()):  # noqa: ASYNC110 - another process's state
                    await asyncio.sleep(0.05)
        assert told == ["NATS", "Postgres"]
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await platform.stop()


def as_ordinary_user() -> tuple[str, ...]:
    """A prefix that runs a command as an ordinary user; root keeps only the right to read, for a closed home."""
    if os.geteuid() != 0:
        return ()
    user = pwd.getpwnam("nobody")
    capability = "+dac_read_search"
    prefix = (
        *("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"),
        *(f"--inh-caps=-all,{capability}", f"--ambient-caps=-all,{capability}", "--"),
    )
    tried = subprocess.run([*prefix, sys.executable, "-c", "pass"], capture_output=True, text=True, check=False)
    assert tried.returncode == 0, f"this machine cannot run Python as an ordinary user: {tried.stderr}"
    return prefix


async def test_it_runs_as_an_ordinary_user(folder: Path) -> None:
    async with holding(folder, *as_ordinary_user()) as (_, said):
        assert "pids" in said
        assert all(psutil.Process(pid).uids().effective != 0 for pid in said["pids"])


async def test_an_unwritable_folder_is_named_with_what_to_do(folder: Path) -> None:
    folder.parent.chmod(0o555)
    async with holding(folder, *as_ordinary_user()) as (_, said):
        assert str(folder) in said["cannot"]
        assert "no permission" in said["cannot"]
        assert "OPSLEDGER_DATA_DIR" in said["cannot"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make folders of another user")
async def test_a_folder_of_another_user_is_refused_by_name(folder: Path) -> None:
    async with holding(folder, *as_ordinary_user()) as (_, said):
        assert "pids" in said
    with pytest.raises(CannotStart, match="belongs to the user nobody, and you are root"):
        await holder.platform(folder).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's Postgres runs as that user")
async def test_root_may_keep_the_data_under_a_folder_that_is_closed_to_others(folder: Path) -> None:
    folder.parent.chmod(0o700)
    async with holding(folder) as (_, said):
        assert "pids" in said
        assert psutil.Process(said["pids"][0]).uids().effective != 0
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700, "nobody else's folder was opened"


async def test_a_stopped_run_leaves_on_sigterm_with_nothing_running(folder: Path) -> None:
    async with holding(folder) as (process, said):
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0
        assert not any(runs(pid) for pid in said["pids"])
