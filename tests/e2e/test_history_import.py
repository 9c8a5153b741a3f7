"""A history from elsewhere through the whole platform: clocked by its own times, reported, told to nobody."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.histories import INVENTED, import_into

from incident.importing.story import incident_id
from opsledger_runtime.testing.harness import Harness
from opsledger_runtime.testing.smtp_sink import SmtpSink


async def ask(platform: Harness, role: str, path: str) -> Any:
    answer = await platform.client(role).get(f"/api{path}")
    assert answer.is_success, answer.text
    return answer.json()


async def events_of(platform: Harness, context: str, aggregate: str) -> list[dict[str, Any]]:
    return list((await ask(platform, "auditor", f"/{context}/v1/events?aggregate={aggregate}"))["items"])


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The invented log, whose last incident is still being worked on."""
    found = tmp_path_factory.mktemp("import") / "log.csv"
    lines = INVENTED.read_text(encoding="utf-8").splitlines(keepends=True)
    found.write_text("".join(lines[:-2]), encoding="utf-8")
    return found


@pytest.fixture(scope="module")
async def imported(platform: Harness, log: Path) -> Harness:
    await import_into(platform, log)
    return platform


async def clocks(platform: Harness, number: str) -> dict[str, dict[str, Any]]:
    found = await ask(platform, "agent", f"/sla/v1/clocks?incident={incident_id('servicenow', number)}")
    return {clock["metric"]: clock for clock in found["items"]}


async def test_clocks_are_decided_by_the_times_of_the_log(imported: Harness) -> None:
    done = await clocks(imported, "INC9000001")
    assert (done["response"]["met"], done["resolution"]["met"]) == (True, True)
    running = await clocks(imported, "INC9000010")
    assert running["resolution"]["met"] is None
    assert running["resolution"]["breached_at"] == running["resolution"]["due_at"]
    history = await events_of(imported, "sla", running["resolution"]["id"])
    assert [event["type"].split(".")[2] for event in history] == ["SLAClockStarted", "SLAWarningReached", "SLABreached"]
    assert len({event["importid"] for event in history}) == 1
    assert history[-1]["data"]["provisional"] is False


async def test_reports_count_it_and_nobody_is_told(imported: Harness, mail: SmtpSink) -> None:
    row = await ask(imported, "analyst", f"/reporting/v1/incidents/{incident_id('servicenow', 'INC9000004')}")
    assert (row["state"], row["reopen_count"], row["responsibility"]) == ("closed", 2, "third_party")
    assert mail.found() == []
    deliveries = await ask(imported, "operator", "/notify/v1/deliveries?limit=200")
    assert deliveries["items"] == []
    assert (await ask(imported, "operator", "/notify/v1/unroutable"))["items"] == []


async def test_work_goes_on_with_what_is_still_open(imported: Harness, mail: SmtpSink) -> None:
    incident = incident_id("servicenow", "INC9000010")
    agent = imported.client("agent")
    body = {"team": "network", "assignee": "engineer-1"}
    answer = await agent.post(f"/api/incident/v1/incidents/{incident}/assign", json=body)
    assert answer.is_success, answer.text
    answer = await agent.post(
        f"/api/incident/v1/incidents/{incident}/resolve", json={"responsibility": "provider", "resolution": "更换"}
    )
    assert answer.is_success, answer.text
    await imported.quiet()
    assert (await clocks(imported, "INC9000010"))["resolution"]["met"] is False
