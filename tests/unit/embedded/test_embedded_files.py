"""The data folder, the secrets, and the sentences about what went wrong; no server is started."""

import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from opsledger_runtime.embedded import processes, users
from opsledger_runtime.embedded.folder import DataFolder
from opsledger_runtime.embedded.permissions import authorization, may_publish
from opsledger_runtime.embedded.postgres import shared_buffers
from opsledger_runtime.embedded.problems import CannotStart, os_problem
from opsledger_runtime.embedded.processes import Program, leftovers, port_is_free, spawn, wait_until
from opsledger_runtime.embedded.secrets import Secrets


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    first = Secrets.open(tmp_path / "secrets.json")
    password = first.password("alpha_app")
    first.save()
    again = Secrets.open(tmp_path / "secrets.json")
    assert again.password("alpha_app") == password
    assert again.password("beta_app") != password
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"passwords": 3}'])
def test_damaged_secrets_are_named_and_not_replaced(tmp_path: Path, text: str) -> None:
    file = tmp_path / "secrets.json"
    file.write_text(text)
    with pytest.raises(CannotStart, match="damaged"):
        Secrets.open(file)
    assert file.read_text() == text


def test_a_full_disk_is_named_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 5_000_000))
    folder = DataFolder(tmp_path / "data")
    with pytest.raises(CannotStart, match="is full: 5 MB are free"):
        folder.lock()
    monkeypatch.undo()
    folder.lock()  # the failure let go of it
    folder.unlock()


@pytest.mark.parametrize(
    ("granted", "buffers"),
    [("1073741824\n", "256MB"), ("67108864\n", "128MB"), ("max\n", None), ("", None), (None, None)],
)
def test_postgres_gets_a_quarter_of_the_memory_that_a_container_is_given(
    tmp_path: Path, granted: str | None, buffers: str | None
) -> None:
    if granted is not None:
        (tmp_path / "memory.max").write_text(granted)
    machine = psutil.virtual_memory().total // 4 // 2**20
    assert shared_buffers(tmp_path) == (buffers or f"{min(max(machine, 128), 2048)}MB")


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(CannotStart, match="a file is in its place"):
        DataFolder(tmp_path / "data").lock()


def test_one_run_at_a_time(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path), DataFolder(tmp_path)
    first.lock()
    with pytest.raises(CannotStart, match=f"process {os.getpid()}"):
        second.lock()
    first.unlock()
    second.lock()
    second.unlock()


@pytest.mark.parametrize("text", ["", "[1]", '{"nats": "x"}'])
def test_a_damaged_list_of_ports_is_written_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "ports.json").write_text(text)
    folder = DataFolder(tmp_path)
    port = folder.port("nats")
    assert port_is_free(port)
    assert folder.port("nats") == port
    assert json.loads((tmp_path / "ports.json").read_text()) == {"nats": port}


def test_servers_that_start_together_remember_a_port_each(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    names = [f"server{number}" for number in range(30)]
    with ThreadPoolExecutor(30) as threads:
        ports = dict(zip(names, threads.map(folder.port, names), strict=True))
    assert json.loads((tmp_path / "ports.json").read_text()) == ports
    assert len(set(ports.values())) == len(names)


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "disk is full"), (errno.EACCES, "no permission"), (errno.EROFS, "no permission")],
)
def test_errors_of_the_operating_system_say_what_to_do(number: int, said: str) -> None:
    sentence = os_problem(OSError(number, "x", "/some/where"), "write").sentence
    assert said in sentence
    assert "/some/where" in sentence
    assert "OPSLEDGER_DATA_DIR" in sentence


def sleeper(tmp_path: Path, code: str, marker: str) -> Program:
    return Program(
        name="sleeper",
        command=(sys.executable, "-c", code, marker),
        marker=marker,
        log=tmp_path / "sleeper.log",
        pid_file=tmp_path / "sleeper.pid",
        stop_signal=signal.SIGTERM,
    )


def test_a_child_that_ends_while_starting_is_told_with_its_log(tmp_path: Path) -> None:
    child = spawn(sleeper(tmp_path, "print('no luck'); raise SystemExit(3)", str(tmp_path / "m")))
    with pytest.raises(CannotStart, match=r"ended while starting[^\0]*no luck") as told:
        wait_until(lambda: False, child, 20)
    assert "\n" in told.value.sentence


def test_a_child_that_finds_no_space_is_told_as_a_full_disk(tmp_path: Path) -> None:
    child = spawn(sleeper(tmp_path, "raise SystemExit('No space left on device')", str(tmp_path / "m")))
    with pytest.raises(CannotStart, match="disk is full"):
        wait_until(lambda: False, child, 20)


def test_a_child_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    child = spawn(sleeper(tmp_path, code, str(tmp_path / "m")))
    wait_until(lambda: "deaf" in child.log_tail(), child, 20)
    began = time.monotonic()
    child.stop(timeout=0.2)
    assert not child.alive()
    assert time.monotonic() - began < 10
    assert not (tmp_path / "sleeper.pid").exists()


def test_leftovers_are_known_by_our_path_and_program_not_by_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = str(tmp_path / "m")
    child = spawn(sleeper(tmp_path, "import time; time.sleep(600)", marker))
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        assert leftovers(tmp_path / "sleeper.pid", marker) == [], "somebody reads our files with another program"
        monkeypatch.setattr(processes, "SERVERS", (psutil.Process(child.pid).name(),))
        assert [process.pid for process in leftovers(tmp_path / "sleeper.pid", marker)] == [child.pid]
        (tmp_path / "sleeper.pid").write_text(json.dumps({"pid": stranger.pid}))
        assert [process.pid for process in leftovers(tmp_path / "sleeper.pid", marker)] == [child.pid]
        assert leftovers(tmp_path / "sleeper.pid", marker + "-other") == []
    finally:
        stranger.kill()
        stranger.wait()
        child.kill()


def test_a_closed_folder_is_named_when_nothing_lets_the_system_user_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    (closed / "data").mkdir(parents=True)
    monkeypatch.setattr(users, "_try", lambda user, path: closed not in (path, *path.parents))
    monkeypatch.setattr(users, "_passes", lambda user, path: path != closed)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(CannotStart, match=f"cannot pass through {closed}\\. Put the project") as told:
        users.able_to_reach(users.SystemUser("somebody", 12345, 12345), (closed / "data",))
    assert "/opt" in told.value.sentence


def test_permissions_name_each_durable_since_wildcards_match_whole_tokens() -> None:
    allowed = may_publish("alpha", ["alpha_watch_a"])
    assert "$JS.ACK.EVENTS.alpha_watch_a.>" in allowed
    assert "$JS.ACK.*.*.EVENTS.alpha_watch_a.>" in allowed
    consumers = [subject for subject in allowed if "CONSUMER" in subject or "ACK" in subject]
    assert all(".alpha_watch_a" in subject for subject in consumers)


def test_the_admin_is_not_a_service() -> None:
    text = "\n".join(authorization({"alpha": "secret-a", "admin": "secret-b"}, {}))
    assert '{user: "admin", password: "secret-b"}' in text
    assert text.count("permissions") == 1
