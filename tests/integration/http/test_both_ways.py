"""A command that goes straight to its endpoint answers as it would through the framework, whatever it is given."""

import json
from typing import Any

import pytest
from tests.support.counting import BASE, Counting

from opsledger_runtime import ids
from opsledger_runtime.http.shortcuts import Directory

COUNTER = str(ids.derived_id("no such counter"))
OWN = {"Content-Type": "application/json"}
BODIES: list[bytes] = [
    b"",
    b"{}",
    b"null",
    b"[]",
    b"7",
    b'"x"',
    b"{",
    b'\xff{"note": "a"}',
    b'{"note": "a"}',
    b'{"note": "a", "by": 2}',
    b'{"note": "a", "by": "2"}',
    b'{"note": "a", "by": 2.0}',
    b'{"note": "a", "by": 2.5}',
    b'{"note": "a", "by": true}',
    b'{"note": "a", "by": -1}',
    b'{"note": "a", "by": 0}',
    b'{"note": "a", "by": 101}',
    b'{"note": "a", "at": "2026-11-22T08:00:00Z"}',
    b'{"note": "a", "at": "2026-11-22T08:00:00"}',
    b'{"note": "a", "at": 1795000000}',
    b'{"note": "a", "labels": {"x": [1, null, {"y": "z"}]}}',
    b'{"note": "a", "labels": {"x": "\\u0000"}}',
    b'{"note": "\\ud800"}',
    b'{"note": "a", "note": "b"}',
    b'{"note": "a", "extra": 1}',
    b'{"note": ""}',
    '{"note": "核心交换机 🖧"}'.encode(),
]
PATHS = ["/counters", f"/counters/{COUNTER}/add", f"/counters/{COUNTER}/reset", "/counters/x/add", "/intake"]
HEADERS: list[dict[str, str]] = [
    {},
    {"Idempotency-Key": ""},
    {"Idempotency-Key": "x" * 256},
    {"If-Match": '"1"'},
    {"If-Match": "1"},
    {"Prefer": "wait=1"},
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/vnd.x+json; charset=utf-8"},
    {"Content-Encoding": ""},
    {"Authorization": "Bearer x"},
]


async def _answers(counting: Counting, path: str, body: bytes, role: str, headers: dict[str, str]) -> dict[str, Any]:
    sent = {**OWN, **counting.headers(role, subject="p"), **headers}
    answer = await counting.http.post(BASE + path, content=body, headers=sent)
    said = answer.json() if "json" in answer.headers.get("content-type", "") else answer.text
    if isinstance(said, dict):
        said.pop("trace_id", None)
        said.pop("id", None)
    shown = {name: value for name, value in answer.headers.items() if name not in ("traceparent", "location")}
    shown.pop("content-length", None)
    return {"status": answer.status_code, "body": said, "headers": shown}


async def _both(
    counting: Counting,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    body: bytes,
    role: str,
    headers: dict[str, str],
) -> None:
    short = await _answers(counting, path, body, role, headers)
    with monkeypatch.context() as patched:
        patched.setattr(Directory, "find", lambda self, method, parts: None)
        long = await _answers(counting, path, body, role, headers)
    assert short == long, (path, body, role, headers)


@pytest.mark.parametrize("body", BODIES, ids=repr)
async def test_every_body_means_the_same_both_ways(
    counting: Counting, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    for path in PATHS:
        for role in ("integration", "agent", "auditor"):
            await _both(counting, monkeypatch, path, body, role, {})


@pytest.mark.parametrize("headers", HEADERS, ids=str)
async def test_every_header_means_the_same_both_ways(
    counting: Counting, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    for path in PATHS:
        for body in (b'{"note": "a", "by": 1}', b'{"by": -1}', b""):
            for role in ("integration", "agent", "auditor"):
                await _both(counting, monkeypatch, path, body, role, headers)


async def test_a_repeat_finds_its_answer_whichever_way_it_takes(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"Idempotency-Key": "one"}
    body = json.dumps({"note": "a"}).encode()
    first = await counting.http.post(f"{BASE}/counters", content=body, headers={**OWN, **key})
    with monkeypatch.context() as patched:
        patched.setattr(Directory, "find", lambda self, method, parts: None)
        again = await counting.http.post(f"{BASE}/counters", content=body, headers={**OWN, **key})
        other = await counting.http.post(f"{BASE}/counters", content=b'{"note": "b"}', headers={**OWN, **key})
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert again.headers["idempotency-replayed"] == "true"
    assert first.json() == again.json()


async def test_commands_take_the_short_way(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise AssertionError("through the framework")

    monkeypatch.setattr("fastapi.routing.APIRoute.handle", fail)
    assert (await counting.make()) != ""
    intake = await counting.http.post(f"{BASE}/intake", json={"a": 1}, headers=counting.headers("integration"))
    assert intake.status_code == 202
