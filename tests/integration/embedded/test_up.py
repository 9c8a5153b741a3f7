"""`opsledger up` as a person runs it: one process, one line when it is ready, one sentence when it cannot start."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import nats
import psutil
import pytest
from nats.js.errors import NotFoundError
from tests.support.waiting import eventually

from opsledger_events.subjects import STREAM

OPSLEDGER = Path(sys.executable).with_name("opsledger")
READY = re.compile(r"Opsledger is ready at (http://127\.0\.0\.1:\d+)")


@pytest.fixture
def folder() -> Iterator[Path]:
    parent = Path(tempfile.mkdtemp(prefix="opsledger-up-"))
    parent.chmod(0o711)
    yield parent / "data"
    shutil.rmtree(parent, ignore_errors=True)


def environment(folder: Path, port: int = 0) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OPSLEDGER_")}
    return {**kept, "OPSLEDGER_DATA_DIR": str(folder), "OPSLEDGER_PORT": str(port), "DEMO": "0"}


class Up:
    """A running `opsledger up`."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.lines: list[str] = []

    async def line(self, wanted: re.Pattern[str], timeout: float = 120) -> str:
        """The first group of the first line that matches; its whole output is in `lines`."""
        assert self.process.stdout is not None
        async with asyncio.timeout(timeout):
            while True:
                said = (await self.process.stdout.readline()).decode()
                assert said, f"it ended: {''.join(self.lines)}"
                self.lines.append(said)
                if found := wanted.fullmatch(said.strip()):
                    return found[1] if found.groups() else found[0]

    async def ends(self, timeout: float = 60) -> int:
        assert self.process.stdout is not None
        rest = await asyncio.wait_for(self.process.stdout.read(), timeout)
        self.lines += rest.decode().splitlines(keepends=True)
        return await asyncio.wait_for(self.process.wait(), timeout)

    def child(self, name: str) -> int:
        found = json.loads((self.folder / name / f"{name}.pid").read_text())["pid"]
        assert isinstance(found, int)
        return found


@asynccontextmanager
async def up(folder: Path, port: int = 0) -> AsyncIterator[Up]:
    process = await asyncio.create_subprocess_exec(
        str(OPSLEDGER),
        "up",
        env=environment(folder, port),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    started = Up(process, folder)
    try:
        yield started
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await started.ends()


def token(folder: Path, role: str) -> str:
    said = subprocess.run(
        [str(OPSLEDGER), "token", "--role", role], env=environment(folder), capture_output=True, text=True, check=True
    )
    return said.stdout.splitlines()[-1]


async def open_incident(base_url: str, bearer: str, title: str) -> str:
    async with httpx.AsyncClient(
        base_url=base_url, headers={"Authorization": f"Bearer {bearer}"}, timeout=20
    ) as client:
        answer = await client.post(
            "/api/incident/v1/incidents",
            json={"title": title, "impact": 1, "urgency": 1, "channel": "phone"},
            headers={"Prefer": "wait=5"},
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


async def messages(folder: Path) -> int | None:
    """How many messages the stream holds; None while there is no stream."""
    ports = json.loads((folder / "ports.json").read_text())
    password = json.loads((folder / "secrets.json").read_text())["passwords"]["nats:admin"]
    client = await nats.connect(f"nats://127.0.0.1:{ports['nats']}", user="admin", password=password)
    try:
        return (await client.jetstream().stream_info(STREAM)).state.messages
    except NotFoundError:
        return None
    finally:
        await client.close()


async def test_it_says_when_it_is_ready_takes_requests_and_stops_at_ctrl_c(folder: Path) -> None:
    async with up(folder) as first:
        base_url = await first.line(READY)
        incident = await open_incident(base_url, token(folder, "agent"), "核心交换机告警")
        children = [first.child("postgres"), first.child("nats")]
        async with httpx.AsyncClient(base_url=base_url) as client:
            assert (await client.get("/docs")).status_code == 200
            assert (await client.get("/readyz")).status_code == 200
        first.process.send_signal(signal.SIGINT)
        assert await first.ends() == 0
        assert "".join(first.lines).count("Opsledger is ready at") == 1
        assert first.lines[-1].strip() == "Opsledger has stopped."
        assert "postgresql://bi_reader:" in "".join(first.lines)
        assert not any(psutil.pid_exists(pid) for pid in children)
    async with up(folder) as second:
        base_url = await second.line(READY)
        headers = {"Authorization": f"Bearer {token(folder, 'agent')}"}
        async with httpx.AsyncClient(base_url=base_url, headers=headers) as client:
            found = await client.get(f"/api/incident/v1/incidents/{incident}")
        assert found.json()["title"] == "核心交换机告警"


async def test_it_goes_on_after_a_sigkill(folder: Path) -> None:
    async with up(folder) as first:
        base_url = await first.line(READY)
        await open_incident(base_url, token(folder, "agent"), "before the kill")
        left = [first.child("postgres"), first.child("nats")]
        first.process.kill()
        await first.process.wait()
        assert all(psutil.pid_exists(pid) for pid in left)
        async with up(folder) as second:
            await second.line(READY)
            assert "An earlier run was killed" in "".join(second.lines)
            assert not any(psutil.pid_exists(pid) for pid in left)


async def test_a_bus_with_an_empty_disk_is_provisioned_and_filled_again(folder: Path) -> None:
    async with up(folder) as running:
        base_url = await running.line(READY)
        await open_incident(base_url, token(folder, "agent"), "before the loss")

        async def settled() -> int | None:
            count = await messages(folder)
            return count if count is not None and count > 0 else None

        before = await eventually(settled, 30)
        shutil.rmtree(folder / "nats" / "jetstream")
        os.kill(running.child("nats"), signal.SIGKILL)

        async def again() -> bool:
            try:
                count = await messages(folder)
            except (OSError, nats.errors.Error):
                return False
            return count is not None and before is not None and count >= before

        assert await eventually(again, 60, every=0.2)


async def test_sigterm_while_it_starts_leaves_nothing_running(folder: Path) -> None:
    async with up(folder) as starting:
        await starting.line(re.compile(r"✓ Postgres listens.*"))
        children = [starting.child("postgres"), starting.child("nats")]
        starting.process.terminate()
        assert await starting.ends() == 0
        assert "ready" not in "".join(starting.lines)
        assert not any(psutil.pid_exists(pid) for pid in children)


async def test_a_busy_port_is_met_by_a_sentence_before_anything_is_started(folder: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        async with up(folder, port) as refused:
            assert await refused.ends() == 1
    said = "".join(refused.lines)
    assert f"Port {port} is in use by another program" in said
    assert f"OPSLEDGER_PORT={port + 1}" in said
    assert "Traceback" not in said
    assert not os.path.exists(folder)  # noqa: ASYNC240 - one look


async def test_a_second_run_in_the_same_folder_is_met_by_a_sentence(folder: Path) -> None:
    async with up(folder) as first:
        await first.line(READY)
        async with up(folder) as second:
            assert await second.ends() == 1
        said = "".join(second.lines)
        assert f"in use by another run of Opsledger (process {first.process.pid})" in said
        assert "Traceback" not in said


def said_by(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [str(OPSLEDGER), *arguments], env=environment(folder), capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_token_before_the_first_start_is_met_by_a_sentence(folder: Path) -> None:
    assert "There is no Opsledger in" in said_by(folder, "token", "--role", "agent")


def test_an_unknown_service_is_named(folder: Path) -> None:
    assert "There is no service nonsense. There are: incident" in said_by(folder, "run", "nonsense")


def test_a_service_without_settings_names_every_variable(folder: Path) -> None:
    said = said_by(folder, "run", "incident")
    assert "OPSLEDGER_DATABASE_URL" in said
    assert "OPSLEDGER_NATS_URL" in said
