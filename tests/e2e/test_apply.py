"""`opsledger apply` and `opsledger export` over the running platform: compared, asked, applied, refused, resumed."""

import asyncio
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.applying import opsledger, opsledger_asking

from opsledger.applying_documents import id_of
from opsledger_runtime.testing.harness import Harness

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"
BASE = "/api/sla/v1"

CALENDAR = """apiVersion: opsledger/v1
kind: Calendar
metadata: {name: %s}
spec:
  time_zone: Asia/Shanghai
  weekly:
    - {day: 0, opens: 09:00, closes: 18:00}
    - {day: 1, opens: 09:00, closes: 18:00}
"""

AGREEMENT = """apiVersion: opsledger/v1
kind: Agreement
metadata: {name: %s}
spec:
  service: %s
  calendar: %s
  targets:
    - {priority: 1, response: 15m, resolution: 4h}
"""


def story(name: str) -> str:
    """A calendar and an agreement of a test's own."""
    return f"{CALENDAR % name}---\n{AGREEMENT % (name, name, name)}"


async def defined(platform: Harness, kind: str, name: str) -> dict[str, Any]:
    answer = await platform.client("agent").get(f"{BASE}/{kind}s/{id_of(kind, name)}")
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


async def test_a_dry_run_shows_all_and_changes_nothing(platform: Harness) -> None:
    ended = await opsledger(platform, "apply", "-f", "-", "--dry-run", given=story("dry"))
    assert (ended.code, ended.complained) == (3, "")
    assert "calendar/dry  will be created" in ended.said
    assert "  + weekly.Mon  09:00–18:00" in ended.said
    assert "  + targets.P1.resolution  4h" in ended.said
    assert "2 to create, 0 to change, 0 unchanged.\nNothing was applied: this was a dry run." in ended.said
    answer = await platform.client("agent").get(f"{BASE}/calendars/{id_of('calendar', 'dry')}")
    assert answer.status_code == 404


async def test_what_is_applied_is_there_and_is_unchanged_the_second_time(platform: Harness, tmp_path: Path) -> None:
    (tmp_path / "b-calendar.yaml").write_text(CALENDAR % "twice", encoding="utf-8")
    (tmp_path / "a-agreement.yml").write_text(AGREEMENT % ("twice", "twice", "twice"), encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no YAML: [")
    (tmp_path / ".hidden.yaml").write_text("no YAML: [")
    first = await opsledger(platform, "apply", "-f", str(tmp_path), "--yes")
    assert (first.code, first.complained) == (0, "")
    assert "calendar/twice  created, revision 1\nagreement/twice  created, revision 1\n" in first.said
    agreement = await defined(platform, "agreement", "twice")
    assert agreement["calendar"] == str(id_of("calendar", "twice"))
    assert agreement["targets"] == [{"priority": 1, "response_seconds": 900, "resolution_seconds": 14_400}]
    assert (await defined(platform, "calendar", "twice"))["weekly"][0]["opens"] == "09:00"
    again = await opsledger(platform, "apply", "-f", str(tmp_path))
    assert (again.code, again.complained) == (0, "")
    assert again.said.endswith("0 to create, 0 to change, 2 unchanged.\n")


async def test_a_change_is_shown_asked_for_and_leaves_running_clocks_alone(platform: Harness, tmp_path: Path) -> None:
    await opsledger(platform, "apply", "-f", "-", "-y", given=story("asked"))
    file = tmp_path / "asked.yaml"
    file.write_text(story("asked").replace("4h", "2h").replace("closes: 18:00", "closes: 17:00"), encoding="utf-8")
    declined = await opsledger_asking(platform, "apply", "-f", str(file), answer="n\n")
    assert declined.code == 3
    assert "    targets.P1.resolution  4h → 2h" in declined.said
    assert "    weekly.Mon  09:00–18:00 → 09:00–17:00" in declined.said
    assert declined.said.endswith("Nothing was applied.\n")
    assert (await defined(platform, "agreement", "asked"))["revision"] == 1
    agreed = await opsledger_asking(platform, "apply", "-f", str(file), answer="y\n")
    assert agreed.code == 0
    assert "agreement/asked  changed, revision 2" in agreed.said
    assert "Running clocks keep the revision that they began with." in agreed.said
    assert f"POST /api/sla/v1/calendars/{id_of('calendar', 'asked')}/apply" in agreed.said
    assert f"POST /api/sla/v1/agreements/{id_of('agreement', 'asked')}/apply" in agreed.said
    assert (await defined(platform, "agreement", "asked"))["targets"][0]["resolution_seconds"] == 7_200


@pytest.mark.parametrize("name", ["-", "file"])
async def test_where_nobody_can_be_asked_nothing_is_applied(platform: Harness, tmp_path: Path, name: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(story("unasked"), encoding="utf-8")
    ended = await opsledger(platform, "apply", "-f", str(file) if name == "file" else "-", given=story("unasked"))
    assert ended.code == 2
    assert "2 to create" in ended.said
    assert "nobody can be asked here. Say --yes to apply" in ended.complained


@pytest.mark.parametrize("kind", ["changed", "created"])
async def test_what_somebody_else_does_meanwhile_is_not_overwritten(
    platform: Harness, tmp_path: Path, kind: str
) -> None:
    name = f"meanwhile-{kind}"
    if kind == "changed":
        await opsledger(platform, "apply", "-f", "-", "-y", given=CALENDAR % name)
    file = tmp_path / "x.yaml"
    file.write_text(story(name).replace("closes: 18:00", "closes: 16:00"), encoding="utf-8")

    async def meanwhile() -> None:
        body = {"name": "theirs", "time_zone": "UTC", "always_open": True}
        headers = {"If-Match": '"1"'} if kind == "changed" else {}
        path = f"{BASE}/calendars/{id_of('calendar', name)}"
        (await platform.client("lead").put(path, json=body, headers=headers)).raise_for_status()

    ended = await opsledger_asking(platform, "apply", "-f", str(file), answer="y\n", meanwhile=meanwhile)
    assert ended.code == 1
    assert f"calendar/{name} was changed by somebody else after it was compared. Run the command again" in (
        ended.complained
    )
    assert f"calendar/{name}  refused\nagreement/{name}  not applied\n" in ended.said
    assert (await defined(platform, "calendar", name))["name"] == "theirs"


async def test_a_refusal_names_the_line_and_the_rest_is_taken_up_again(platform: Harness) -> None:
    given = story("refused").replace("priority: 1, response: 15m, resolution: 4h", "priority: 9, response: 0m")
    given += "---\n" + AGREEMENT % ("refused-too", "refused-too", "refused")
    ended = await opsledger(platform, "apply", "-f", "-", "-y", given=given)
    assert ended.code == 1
    assert "created, revision 1\nagreement/refused  refused\nagreement/refused-too  not applied\n" in ended.said
    assert "stdin:17:8: /targets/0/priority: Priorities count from 1 (highest) to 5." in ended.complained
    assert "stdin:17:21: /targets/0/response_seconds: A target is longer than 0 seconds." in ended.complained
    mended = given.replace("priority: 9", "priority: 2").replace("response: 0m", "response: 5m")
    ended = await opsledger(platform, "apply", "-f", "-", "-y", given=mended)
    assert (ended.code, ended.complained) == (0, "")
    assert "2 to create, 0 to change, 1 unchanged." in ended.said


async def test_fields_unknown_here_are_left_to_the_platform_to_refuse(platform: Harness) -> None:
    given = CALENDAR % "unknown-field" + "  newer: {a: 1}\n"
    ended = await opsledger(platform, "apply", "-f", "-", "-y", "--lang", "zh_CN.UTF-8", given=given)
    assert ended.code == 1
    assert "calendar/unknown-field  被拒绝" in ended.said
    assert "stdin:9:3: /newer: 不认识此项" in ended.complained


async def test_wrong_input_sends_nothing_and_names_every_line(platform: Harness, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CALENDAR % "wrong-a" + "  weekly: []\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("a: [1", encoding="utf-8")
    ended = await opsledger(platform, "apply", "-f", str(tmp_path), "-f", str(tmp_path / "none.yaml"), "-y")
    assert (ended.code, ended.said) == (2, "")
    assert f"{tmp_path}/a.yaml:9:3: weekly is given twice; the first is in line 6." in ended.complained
    assert f"{tmp_path}/b.yaml:1:6: This is no YAML" in ended.complained
    assert "none.yaml cannot be read: No such file or directory." in ended.complained
    given = (CALENDAR % "good") + "---\n" + (CALENDAR % "wrong").replace("09:00", "9:00")
    given += "---\n" + AGREEMENT % ("wrong", "wrong", "good")
    ended = await opsledger(platform, "apply", "-f", "-", "-y", given=given.replace("priority: 1", "priority: x"))
    assert (ended.code, ended.said) == (2, "")
    assert "stdin:16:16: '9:00' is no time of day." in ended.complained
    assert "stdin:26:8: /targets/0/priority: Input should be a valid integer" in ended.complained
    ended = await opsledger(platform, "apply", "-f", "-", "-y", given=AGREEMENT % ("x", "x", "nowhere"))
    assert ended.code == 2
    assert "stdin:6:13: No calendar is called nowhere" in ended.complained


@pytest.mark.parametrize("content", ["", "---\n# nothing\n"])
async def test_nothing_to_read_is_wrong_input(platform: Harness, tmp_path: Path, content: str) -> None:
    ended = await opsledger(platform, "apply", "-f", str(tmp_path), "-y")
    assert (ended.code, "There is no .yaml or .yml file in the folder" in ended.complained) == (2, True)
    ended = await opsledger(platform, "apply", "-f", "-", "-y", given=content)
    assert (ended.code, ended.complained) == (2, "There is no document in -.\n")
    ended = await opsledger(platform, "apply", "-f", "/dev/zero", "-y")
    assert (ended.code, "more than 1,048,576 bytes" in ended.complained) == (2, True)


async def test_a_calendar_is_found_by_the_name_that_is_shown(platform: Harness) -> None:
    body = {"name": "演示日历", "time_zone": "UTC", "always_open": True}
    for n in (1, 2):
        path = f"{BASE}/calendars/00000000-0000-7000-8000-00000000000{n}"
        (await platform.client("lead").put(path, json=body)).raise_for_status()
        given = AGREEMENT % ("by-name", "by-name", "演示日历")
        ended = await opsledger(platform, "apply", "-f", "-", "-y", given=given)
        assert ended.code == (0 if n == 1 else 2)
    assert "Several calendars are called 演示日历. Name one by its id: 00000000-" in ended.complained


async def test_a_token_decides_and_none_of_our_own_leaves_this_machine(platform: Harness, tmp_path: Path) -> None:
    given = CALENDAR % "token"
    agent = platform.issuer.token("agent")
    ended = await opsledger(platform, "apply", "-f", "-", "-y", given=given, OPSLEDGER_TOKEN=agent)
    assert ended.code == 1
    assert "Your role may not do calendar.define." in ended.complained
    ended = await opsledger(platform, "apply", "-f", "-", "-y", "--token", "garbled", given=given)
    assert (ended.code, "HTTP 401, bad_token" in ended.complained) == (1, True)
    ended = await opsledger(platform, "apply", "-f", "-", "-y", "--token", "令牌", given=given)
    assert (ended.code, "The token cannot be one" in ended.complained) == (1, True)
    ended = await opsledger(platform, "apply", "-f", "-", "-y", "--url", "http://opsledger.example", given=given)
    assert (ended.code, "Give it in OPSLEDGER_TOKEN" in ended.complained) == (1, True)
    ended = await opsledger(platform, "apply", "-f", "-", "-y", given=given, OPSLEDGER_DATA_DIR=str(tmp_path))
    assert (ended.code, "There is no Opsledger in" in ended.complained) == (1, True)


class _Other(http.server.BaseHTTPRequestHandler):
    """A web server that is not Opsledger."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>hello</html>")

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def other_server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


async def test_where_no_opsledger_answers_is_a_sentence(platform: Harness, other_server: str) -> None:
    for url, sentence in (
        ("http://127.0.0.1:1", "http://127.0.0.1:1 does not answer"),
        (other_server, "answers, but not as Opsledger does (HTTP 200)"),
        ("nonsense", "nonsense is no address"),
        ("file:///etc/passwd", "is no address"),
    ):
        for command in (("apply", "-f", "-"), ("export",)):
            ended = await opsledger(platform, *command, "--url", url, given=CALENDAR % "x")
            assert (ended.code, ended.said) == (1, "")
            assert sentence in ended.complained
            assert "Traceback" not in ended.complained


async def test_the_examples_apply_and_what_is_exported_applies_back_unchanged(platform: Harness) -> None:
    ended = await opsledger(platform, "apply", "-f", str(EXAMPLES), "--yes")
    assert (ended.code, ended.complained) == (0, "")
    assert "5 to create, 0 to change, 0 unchanged." in ended.said
    odd = (CALENDAR % "odd").replace("spec:", 'spec:\n  name: "0o17"').replace("18:00", "02:00")
    odd += "---\n" + (AGREEMENT % ("odd", '"089"', "odd")) + "    - {priority: 3, response_seconds: 86399}\n"
    ended = await opsledger(platform, "apply", "-f", "-", "-y", given=odd)
    assert (ended.code, ended.complained) == (0, "")
    whole = await opsledger(platform, "export")
    assert (whole.code, whole.complained) == (0, "")
    assert "metadata: {name: office-hours}" in whole.said
    assert "source" not in whole.said
    parts = await asyncio.gather(*(opsledger(platform, "export", which) for which in ("calendars", "agreements")))
    for exported in (whole, *parts):
        back = await opsledger(platform, "apply", "-f", "-", given=exported.said)
        assert (back.code, back.complained) == (0, "")
        assert "0 to create, 0 to change, " in back.said
