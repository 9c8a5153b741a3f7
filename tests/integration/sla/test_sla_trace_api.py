"""The doors that explain a clock: figures that agree with the clock's, two languages, as of, and hostile requests."""

import asyncio
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from tests.support.service_levels import BASE, ServiceLevels, at

from opsledger_events.contexts.incident import (
    IncidentHeld,
    IncidentPrioritised,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
)
from sla.casebook import clock_id

SOLVED = IncidentResolved(responsibility="provider", resolution="更换光模块")


async def a_story(levels: ServiceLevels) -> str:
    """Priority 1 (4 h), a pause, another priority (8 h), done and reopened; the clock's id."""
    incident = await levels.open()
    await levels.tell(incident, IncidentHeld(reason="awaiting_requester"), 1)
    await levels.tell(incident, IncidentResumed(), 2)
    await levels.tell(incident, IncidentPrioritised(impact=2, urgency=1, priority=2, previous_priority=1), 3)
    await levels.tell(incident, SOLVED, 4)
    await levels.tell(incident, IncidentReopened(reason="又断了"), 6)
    await levels.fire_until(20)
    levels.running.clock.instant = at(20)
    return clock_id(incident, "resolution")


async def test_r89_a_trace_leads_each_interval_back_to_its_event(levels: ServiceLevels) -> None:
    clock = await a_story(levels)
    found = await levels.get(f"/clocks/{clock}/trace?lang=en")
    assert (found["number"], found["time_zone"], found["language"]) == ("INC0000001", "UTC", "en")
    assert found["agreement"]["name"] == "默认协议 / Default agreement"
    shown = await levels.get(f"/clocks/{clock}")
    closing = found["closing"]
    for name in ("target_seconds", "elapsed_seconds", "remaining_seconds", "due_at", "breached_at", "met", "state"):
        assert closing[name] == shown[name], name
    assert sum(line["counted_seconds"] for line in found["lines"]) == shown["elapsed_seconds"]
    paused = next(line for line in found["lines"] if line["kind"] == "paused")
    assert (paused["reason"], paused["event"]["type"]) == ("awaiting_requester", "sla.SLAClockPaused.v1")
    assert paused["event"]["cause_type"] == "IncidentHeld"
    history = {str(one.id) for one in await levels.running.store.history(clock)}
    assert {line["event"]["id"] for line in found["lines"] if line["event"]} <= history
    assert [move["because"] for move in closing["moves"]] == ["pause", "target", "standing"]
    kinds = [line["kind"] for line in found["lines"]]
    assert {"opened", "resumed", "retargeted", "met", "continued", "warning", "breached"} <= set(kinds)


async def test_the_language_is_asked_for_or_taken_from_the_header(levels: ServiceLevels) -> None:
    clock = await a_story(levels)
    answer = await levels.http.get(f"{BASE}/clocks/{clock}/trace", headers={"Accept-Language": "zh-TW,en;q=0.5"})
    assert answer.headers["content-language"] == "zh-CN"
    assert "目标" in answer.json()["closing"]["text"]
    english = await levels.get(f"/clocks/{clock}/trace?lang=en", headers={"Accept-Language": "zh"})
    assert english["closing"]["text"].startswith("Target 8 h")
    await levels.get(f"/clocks/{clock}/trace?lang=fr", status=422)


async def test_as_of_tells_what_was_true_and_known_at_what_was_known(levels: ServiceLevels) -> None:
    clock = await a_story(levels)
    early = await levels.get(f"/clocks/{clock}/trace", params={"lang": "en", "as_of": at(1.5).isoformat()})
    assert (early["closing"]["state"], early["closing"]["target_seconds"]) == ("paused", 14400)
    assert [line["kind"] for line in early["lines"]] == ["opened", "always_open", "paused"]
    levels.running.clock.instant = at(30)
    late = levels.envelope("incident-1", IncidentHeld(reason="awaiting_requester"), 8)
    await levels.hand_over(late)
    before = await levels.get(f"/clocks/{clock}/trace", params={"known_at": at(20).isoformat()})
    after = await levels.get(f"/clocks/{clock}/trace", params={"as_of": at(20).isoformat()})
    assert before["closing"]["state"] == "running"
    assert before["closing"]["breached_at"] is not None
    assert (after["closing"]["state"], after["closing"]["breached_at"]) == ("paused", None)
    assert {"withdrawn", "breach_untrue"} <= {line["kind"] for line in after["lines"]}


@pytest.mark.parametrize("form", ["trace", "trace.svg"])
async def test_what_cannot_be_explained_is_refused(levels: ServiceLevels, form: str) -> None:
    clock = await a_story(levels)
    path = f"/clocks/{clock}/{form}"
    refused = await levels.get(path, params={"as_of": at(21).isoformat()}, status=422)
    assert refused["code"] == "not_yet"
    for wrong in ("yesterday", "2026-11-23T01:00:00", "9" * 60, "2026-11-23", "\x00", "0001-01-01T00:00:00+23:59"):
        answer = await levels.http.get(f"{BASE}{path}", params={"as_of": wrong})
        assert answer.status_code in (400, 404, 422), (wrong, answer.text)
    await levels.get(path, params={"as_of": at(-1).isoformat()}, status=404)
    await levels.get(path, params={"known_at": at(-1).isoformat()}, status=404)
    await levels.get(f"/clocks/{clock_id('other', 'resolution')}/{form}", status=404)
    await levels.get(f"/clocks/not-an-id/{form}", status=404)
    chinese = await levels.get(path, params={"as_of": "x"}, status=422, headers={"Accept-Language": "zh"})
    assert "RFC 3339" in chinese["detail"]
    assert "请" in chinese["detail"]


async def test_a_caller_of_another_organisation_sees_neither(levels: ServiceLevels) -> None:
    clock = await a_story(levels)
    headers = levels.headers(organisations=["globex"])
    for form in ("trace", "trace.svg"):
        await levels.get(f"/clocks/{clock}/{form}", status=404, headers=headers)


async def test_the_picture_is_svg_that_may_load_nothing(levels: ServiceLevels) -> None:
    clock = await a_story(levels)
    answer = await levels.http.get(f"{BASE}/clocks/{clock}/trace.svg?lang=zh-CN")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["content-language"] == "zh-CN"
    assert "解决" in "".join(ET.fromstring(answer.text).itertext())  # noqa: S314 - our own
    again = await levels.http.get(f"{BASE}/clocks/{clock}/trace.svg?lang=zh-CN")
    assert again.content == answer.content


async def test_many_may_ask_at_once(levels: ServiceLevels) -> None:
    clock = await a_story(levels)
    found: list[Any] = await asyncio.gather(*(levels.get(f"/clocks/{clock}/trace?lang=en") for _ in range(12)))
    assert all(one == found[0] for one in found)
