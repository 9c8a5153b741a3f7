"""`opsledger apply` where the platform goes away, or the person does, between a command and its answer."""

import asyncio
import http.server
import json
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.applying import opsledger, started

from opsledger.applying_documents import documents
from opsledger.applying_yaml import read

ROOT = Path(__file__).parents[3]
CALENDARS = """
apiVersion: opsledger/v1
kind: Calendar
metadata: {name: %s}
spec: {time_zone: UTC, always_open: true}
"""
TWO = CALENDARS % "first" + "---\n" + CALENDARS % "second"


class Vanishing(http.server.ThreadingHTTPServer):
    """Has no definition; the second PUT is never answered: its connection ends, or with `hangs` stays open."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Door)
        self.puts = 0
        self.hangs = False
        self.asked = threading.Event()
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Door(http.server.BaseHTTPRequestHandler):
    server: Vanishing

    def do_GET(self) -> None:
        self._answer(404, {"code": "not_found", "detail": "There is none."})

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.puts += 1
        if self.server.puts == 1:
            self._answer(201, {**body, "revision": 1})
            return
        self.server.asked.set()
        if self.server.hangs:
            self.server.over.wait(60)
        self.close_connection = True

    def _answer(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", '"1"')
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def vanishing() -> Iterator[Vanishing]:
    with Vanishing() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()


async def test_an_answer_that_does_not_come_leaves_a_document_uncertain(vanishing: Vanishing) -> None:
    given = TWO + "---\n" + CALENDARS % "third"
    ended = await opsledger(None, "apply", "-f", "-", "-y", "--url", vanishing.url, "--token", "x", given=given)
    assert ended.code == 1
    assert "calendar/first  created, revision 1\n" in ended.said
    assert "calendar/second  not certain: no answer came. Run the command again" in ended.said
    assert ended.said.endswith("calendar/third  not applied\n")
    assert "does not answer: " in ended.complained


async def test_who_interrupts_is_told_how_far_it_came(vanishing: Vanishing, tmp_path: Path) -> None:
    vanishing.hangs = True
    file = tmp_path / "two.yaml"
    file.write_text(TWO)
    arguments = ("apply", "-f", str(file), "-y", "--url", vanishing.url, "--token", "x")
    process = await started(None, arguments, asyncio.subprocess.DEVNULL, {})
    assert await asyncio.to_thread(vanishing.asked.wait, 60)
    process.send_signal(signal.SIGINT)
    said, complained = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, complained) == (130, b"")
    assert b"calendar/first  created, revision 1\ncalendar/second  not certain: " in said


def test_what_the_page_shows_can_be_read() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "apply.md").read_text(encoding="utf-8"), re.DOTALL)
    assert [one.label for block in blocks for one in documents(read(block, "apply.md"))] == ["agreement/gold"]
