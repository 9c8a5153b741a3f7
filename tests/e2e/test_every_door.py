"""Every endpoint with no token, a bad one, a wrong role, and with hostile bodies: a clear problem, never a 5xx.

The endpoints are read from the platform's own OpenAPI description, so a new one is tested the day it appears.
"""

import json
import re
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from opsledger_runtime.auth import LocalIssuer
from opsledger_runtime.testing.harness import Harness

OPEN_PATHS = {"/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}
DEEP = b"[" * 20_000 + b"]" * 20_000
HUGE = b'{"title": "' + b"x" * 9_000_000 + b'"}'
BODIES: dict[str, bytes] = {
    "empty": b"",
    "empty object": b"{}",
    "array": b"[]",
    "number": b"7",
    "text": '"工单"'.encode(),
    "null": b"null",
    "broken": b'{"title": ',
    "not utf-8": b'{"title": "\xff\xfe"}',
    "nul": b'{"title": "a\\u0000b", "impact": 1, "urgency": 1, "text": "\\u0000", "name": "\\u0000"}',
    "lone surrogate": b'{"title": "\\ud800", "impact": 1, "urgency": 1, "text": "\\udfff", "name": "\\ud800"}',
    "nan": b'{"title": "x", "impact": NaN, "urgency": Infinity}',
    "huge number": b'{"title": "x", "impact": 1' + b"0" * 5000 + b', "urgency": 1}',
    "wrong types": b'{"title": {"a": 1}, "impact": "one", "urgency": [1], "name": 5, "members": "x", "targets": 1}',
    "duplicate keys": b'{"title": "x", "title": "y", "impact": 1, "urgency": 1}',
    "unknown keys": b'{"title": "x", "impact": 1, "urgency": 1, "__proto__": {}, "is_admin": true}',
    "deep": DEEP,
    "huge": HUGE,
    "sql": b'{"title": "\'; drop table es.event; --", "reason": "\'\'; --", "team": "\' or 1=1 --"}',
}


def concrete(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "no-such-thing", path)


async def endpoints(platform: Harness) -> list[tuple[str, str]]:
    async with httpx.AsyncClient(base_url=platform.base_url) as http:
        described = (await http.get("/openapi.json")).raise_for_status().json()
    found = [
        (method.upper(), path)
        for path, methods in described["paths"].items()
        for method in methods
        if path not in OPEN_PATHS
    ]
    assert len(found) > 25
    return found


def check_problem(answer: httpx.Response, statuses: set[int], what: str) -> None:
    assert answer.status_code in statuses, f"{what}: {answer.status_code} {answer.text[:300]}"
    assert answer.headers["content-type"].startswith("application/problem+json"), what
    problem = answer.json()
    assert problem["status"] == answer.status_code, what
    assert {"type", "title", "code", "detail"} <= problem.keys(), what
    assert "Traceback" not in answer.text, what


async def test_every_endpoint_refuses_callers_it_does_not_know(platform: Harness) -> None:
    foreign = LocalIssuer(ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True))
    issuer = platform.issuer
    tokens = {
        "none": None,
        "garbled": "Bearer not.a.token",
        "wrong scheme": "Basic YTpi",
        "foreign": "Bearer " + foreign.token("administrator"),
        "expired": "Bearer " + issuer.token("administrator", hours=-1),
        "foreign issuer": "Bearer " + issuer.sign({"sub": "x", "roles": ["administrator"], "exp": 9e9, "iss": "evil"}),
        "other audience": "Bearer " + issuer.sign({"sub": "x", "roles": ["administrator"], "exp": 9e9, "aud": "other"}),
    }
    async with httpx.AsyncClient(base_url=platform.base_url) as http:
        for method, path in await endpoints(platform):
            for name, token in tokens.items():
                headers = {"Authorization": token} if token else {}
                answer = await http.request(method, concrete(path), headers=headers, json={})
                check_problem(answer, {401}, f"{method} {path} with token: {name}")
                assert "www-authenticate" in answer.headers


async def test_every_endpoint_refuses_a_role_that_may_not(platform: Harness) -> None:
    nobody = platform.issuer.sign({"sub": "x", "roles": ["no-such-role"], "exp": 9e9})
    headers = {"Authorization": f"Bearer {nobody}"}
    async with httpx.AsyncClient(base_url=platform.base_url, headers=headers) as http:
        for method, path in await endpoints(platform):
            answer = await http.request(method, concrete(path), json={})
            check_problem(answer, {403}, f"{method} {path}")


@pytest.mark.parametrize("name", BODIES)
async def test_no_body_brings_a_service_down(platform: Harness, name: str) -> None:
    http = platform.client("administrator")
    headers = {"Content-Type": "application/json", "Prefer": ""}
    for method, path in await endpoints(platform):
        if method == "GET":
            continue
        answer = await http.request(method, concrete(path), content=BODIES[name], headers=headers)
        if answer.is_success:  # a body that this endpoint may take: nothing wrong with it
            continue
        check_problem(answer, set(range(400, 500)), f"{method} {path} with {name}")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"]
)
async def test_another_content_type_is_refused(platform: Harness, content_type: str) -> None:
    http = platform.client("administrator")
    for method, path in await endpoints(platform):
        if method not in ("POST", "PUT"):
            continue
        answer = await http.request(method, concrete(path), content=b"title=x", headers={"Content-Type": content_type})
        check_problem(answer, {400, 404, 415, 422, 428}, f"{method} {path} as {content_type}")


HOSTILE_QUERIES: list[dict[str, str]] = [
    {"cursor": "%00"},
    {"cursor": "eyJhIjoxfQ"},
    {"cursor": "A" * 5000},
    {"limit": "-1"},
    {"limit": "1e9"},
    {"limit": "99999999999999999999"},
    {"as_of": "yesterday"},
    {"as_of": "2026-11-22T08:00:00"},
    {"known_at": "0001-01-01T00:00:00Z"},
    {"q": "\x00"},
    {"q": "%' or 1=1 --"},
    {"state": "no-such-state"},
    {"priority": "9" * 40},
    {"from": "2026-13-45", "to": "x"},
    {"from": "9999-12-31", "to": "0001-01-01"},
    {"time_zone": "../../etc/passwd"},
    {"group_by": "x; drop table"},
    {"incident": "\ud7ff" * 300},
    {"aggregate": "\x00"},
]


@pytest.mark.parametrize("query", HOSTILE_QUERIES, ids=lambda query: json.dumps(query)[:40])
async def test_no_query_brings_a_service_down(platform: Harness, query: dict[str, str]) -> None:
    http = platform.client("administrator")
    for method, path in await endpoints(platform):
        if method != "GET":
            continue
        answer = await http.get(concrete(path), params=query)
        if not answer.is_success:
            check_problem(answer, set(range(400, 500)), f"GET {path} with {query}")


@pytest.mark.parametrize(
    "header",
    [
        {"Idempotency-Key": ""},
        {"Idempotency-Key": "x" * 300},
        {"Idempotency-Key": "工单".encode().decode("latin-1")},
        {"If-Match": "7"},
        {"If-Match": '"x"'},
        {"If-Match": 'W/"1"'},
        {"If-Match": '"99999999999999999999"'},
        {"Opsledger-Position": "nonsense"},
        {"Opsledger-Position": "incident:99999999999999999999999"},
        {"Prefer": "wait=x"},
        {"traceparent": "00-zz"},
        {"Accept-Language": "tlh;q=x"},
    ],
    ids=str,
)
async def test_no_header_brings_a_service_down(platform: Harness, header: dict[str, str]) -> None:
    http = platform.client("administrator")
    raw = [(name, value.encode("latin-1")) for name, value in header.items()]
    for method, path in await endpoints(platform):
        body: Any = {} if method != "GET" else None
        answer = await http.request(method, concrete(path), headers=raw, json=body)
        if not answer.is_success:
            check_problem(answer, set(range(400, 500)), f"{method} {path} with {header}")


async def test_unknown_paths_and_methods_are_problems_too(platform: Harness) -> None:
    http = platform.client("administrator")
    check_problem(await http.get("/api/incident/v1/nothing"), {404}, "unknown path")
    check_problem(await http.get("/nothing"), {404}, "unknown root")
    check_problem(await http.delete("/api/incident/v1/incidents"), {405}, "unknown method")


async def test_the_same_key_answers_once_and_another_body_is_refused(platform: Harness) -> None:
    http = platform.client("agent")
    headers = {"Idempotency-Key": "door-key-1"}
    body = {"title": "重复 duplicate", "impact": 2, "urgency": 2}
    first = await http.post("/api/incident/v1/incidents", json=body, headers=headers)
    again = await http.post("/api/incident/v1/incidents", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    other = await http.post("/api/incident/v1/incidents", json={**body, "title": "other"}, headers=headers)
    check_problem(other, {422}, "another body")


async def test_problems_speak_the_callers_language(platform: Harness) -> None:
    http = platform.client("agent")
    english = await http.get("/api/incident/v1/incidents/none", headers={"Accept-Language": "en"})
    chinese = await http.get("/api/incident/v1/incidents/none", headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    assert english.json()["title"] != chinese.json()["title"]
    assert re.search(r"[\u4e00-\u9fff]", chinese.json()["title"])


async def test_chinese_text_survives_every_door(platform: Harness) -> None:
    http = platform.client("agent")
    title = "  核心交换机“告警” 🖧 \\ / \u2028 ﷽ é e\u0301 "
    made = (await http.post("/api/incident/v1/incidents", json={"title": title, "impact": 2, "urgency": 2})).json()
    where = f"/api/incident/v1/incidents/{made['id']}"
    await http.post(f"{where}/note", json={"text": title, "public": True})
    await platform.quiet()
    assert (await http.get(where)).json()["title"] == title
    events = (await http.get(f"{where}/events")).json()["items"]
    assert [event["data"].get("title") or event["data"].get("text") for event in events] == [title, title]
    clocks = (await http.get("/api/sla/v1/clocks", params={"incident": made["id"]})).json()["items"]
    assert {clock["title"] for clock in clocks} == {title}
    row = await platform.client("analyst").get(f"/api/reporting/v1/incidents/{made['id']}")
    assert row.json()["title"] == title
    listed = (await http.get("/api/incident/v1/incidents", params={"q": "核心交换机"})).json()["items"]
    assert made["id"] in {item["id"] for item in listed}
