"""Whatever comes in, a problem document goes out and never a 5xx."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.counting import BASE, Counting, counting_service

from opsledger_runtime import ids
from opsledger_runtime.http import gate

JSON = {"Content-Type": "application/json"}


def assert_problem(answer: httpx.Response, *codes: str) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document: dict[str, Any] = answer.json()
    assert document["status"] == answer.status_code
    assert document["type"] == f"urn:opsledger:problem:{document['code']}"
    assert document["title"]
    assert document["detail"]
    assert document["instance"].startswith("/")
    assert len(document["trace_id"]) == 32
    assert document["trace_id"] in answer.headers["traceparent"]
    if codes:
        assert document["code"] in codes, document
    return document


HOSTILE: list[tuple[bytes, int, str]] = [
    (b"", 422, "invalid"),
    (b"{", 400, "malformed_json"),
    (b"null", 422, "invalid"),
    (b"[]", 422, "invalid"),
    (b'"text"', 422, "invalid"),
    (b"[{}]", 422, "invalid"),
    (b'{"note": "\\u0000"}', 422, "nul_character"),
    (b'{"note": "\x00"}', 400, "malformed_json"),
    (b'{"note": "\\ud800"}', 422, "lone_surrogate"),
    (b'{"note": "a", "labels": {"\\udfff": 1}}', 422, "lone_surrogate"),
    (b'{"note": "\\ud83d\\ude00"}', 201, ""),
    (b'{"note": "a\\\\u0000"}', 201, ""),
    (b'{"note": "\xff"}', 400, "not_utf8"),
    (b'{"note": "\xed\xa0\x80"}', 400, "not_utf8"),
    ('{"note": "a"}'.encode("utf-16"), 400, "not_utf8"),
    (b'\xef\xbb\xbf{"note": "a"}', 400, "malformed_json"),
    (b'{"note": "a", "note": "b"}', 400, "duplicate_key"),
    (b'{"note": "a", "labels": {"\\ud800": 1, "\\ud800": 2}}', 400, "duplicate_key"),
    (b'{"note": "a", "by": NaN}', 422, "number_out_of_range"),
    (b'{"note": "a", "by": -Infinity}', 422, "number_out_of_range"),
    (b'{"note": "a", "by": 1e999}', 422, "number_out_of_range"),
    (b'{"note": "a", "by": ' + b"9" * 5000 + b"}", 422, "number_out_of_range"),
    (b'{"note": "a", "by": 9007199254740992}', 422, "number_out_of_range"),
    (b'{"note": "a", "by": 9007199254740991}', 409, "at_most_100"),
    (b'{"note": "a", "labels": ' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}", 422, "too_deep"),
    (b'{"note": "a", "labels": ' + b'{"a":' * 65 + b"1" + b"}" * 65 + b"}", 422, "too_deep"),
    (b"[" * 100_000, 422, "too_deep"),
    (b'{"note": "a", "unknown": 1}', 422, "invalid"),
    (b'{"note": 1}', 422, "invalid"),
    (b'{"note": ""}', 422, "invalid"),
    (b'{"note": "a", "at": "2026-11-22T10:00:00"}', 422, "invalid"),
    (b'{"note": "' + b"x" * (gate.MAX_BODY + 1) + b'"}', 413, "body_too_large"),
]


@pytest.mark.parametrize(("body", "status", "code"), HOSTILE, ids=lambda value: repr(value)[:40])
async def test_hostile_body(counting: Counting, body: bytes, status: int, code: str) -> None:
    answer = await counting.http.post(f"{BASE}/counters", content=body, headers=JSON)
    assert answer.status_code == status, answer.text
    if code:
        assert_problem(answer, code)


async def test_errors_point_into_the_body(counting: Counting) -> None:
    answer = await counting.http.post(f"{BASE}/counters", json={"by": -1, "a/b~c": 1})
    document = assert_problem(answer, "invalid")
    assert {error["pointer"] for error in document["errors"]} == {"/note", "/by", "/a~1b~0c"}
    nul = await counting.http.post(
        f"{BASE}/counters", content=b'{"note": "a", "labels": {"x": ["b", "\\u0000"]}}', headers=JSON
    )
    assert assert_problem(nul)["errors"][0]["pointer"] == "/labels/x/1"
    query = await counting.http.get(f"{BASE}/counters?limit=0")
    assert assert_problem(query)["errors"][0]["parameter"] == "limit"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content-Type": "text/plain"}, "unsupported_media_type"),
        ({"Content-Type": ""}, "unsupported_media_type"),
        ({}, "unsupported_media_type"),
        ({"Content-Type": "application/xml"}, "unsupported_media_type"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, "unsupported_media_type"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "unsupported_media_type"),
        ({"Content-Type": "application/json; charset=gb18030"}, "unsupported_media_type"),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, "unsupported_encoding"),
    ],
)
async def test_wrong_content_type_is_415(counting: Counting, headers: dict[str, str], code: str) -> None:
    answer = await counting.http.post(f"{BASE}/counters", content=b'{"note": "a"}', headers=headers)
    assert answer.status_code == 415
    assert_problem(answer, code)


@pytest.mark.parametrize("kind", ["application/json; charset=UTF-8", "application/vnd.x+json", "Application/JSON"])
async def test_json_by_any_of_its_names_is_taken(counting: Counting, kind: str) -> None:
    answer = await counting.http.post(f"{BASE}/counters", content=b'{"note": "a"}', headers={"Content-Type": kind})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        (f"{BASE}/nothing", 404),
        (f"{BASE}/counters/", 404),
        (f"{BASE}/counters/not-an-id", 404),
        (f"{BASE}/counters/{ids.derived_id('no such counter')}", 404),
        (f"{BASE}/counters/%00", 400),
        (f"{BASE}/counters/%ff", 400),
        (f"{BASE}/counters/%ed%a0%80", 400),
        (f"{BASE}/counters?note=%00", 400),
        (f"{BASE}/counters?note=%c3%28", 400),
        (f"{BASE}/counters?limit=0", 422),
        (f"{BASE}/counters?limit=201", 422),
        (f"{BASE}/counters?limit=x", 422),
        (f"{BASE}/counters?limit={'9' * 5000}", 422),
        (f"{BASE}/counters?cursor=%21", 422),
        (f"{BASE}/counters?cursor=", 422),
        (f"{BASE}/counters?cursor=WzFd", 422),
        (f"{BASE}/counters?cursor={'a' * 3000}", 422),
        (f"{BASE}/numbers/99999999999", 422),
        (f"{BASE}/numbers/{'9' * 4400}", 404),
        (f"{BASE}/wrong", 422),
    ],
)
async def test_hostile_address(counting: Counting, path: str, status: int) -> None:
    answer = await counting.http.get(path)
    assert answer.status_code == status, answer.text
    assert_problem(answer)


async def test_wrong_method_is_405_and_names_the_right_ones(counting: Counting) -> None:
    answer = await counting.http.request("PATCH", f"{BASE}/counters", json={})
    assert answer.status_code == 405
    assert_problem(answer, "method_not_allowed")
    assert "GET" in answer.headers["allow"] or "POST" in answer.headers["allow"]
    strange = await counting.http.request("BREW", f"{BASE}/counters")
    assert strange.status_code == 405


async def test_headers_beyond_measure_are_431(counting: Counting) -> None:
    answer = await counting.http.get(f"{BASE}/counters", headers={"X-Long": "a" * 40_000})
    assert answer.status_code == 431
    assert_problem(answer, "headers_too_large")


@pytest.mark.parametrize("bad", ["", ":", "counting", "counting:x", "counting:-1", "Ü:1", f"a:{'9' * 30}", "a:1;b:2"])
async def test_a_malformed_position_is_400(counting: Counting, bad: str) -> None:
    answer = await counting.http.get(f"{BASE}/counters", headers={b"Opsledger-Position": bad.encode("latin-1")})
    assert answer.status_code == 400
    assert_problem(answer, "bad_position")


async def test_a_fault_of_ours_is_a_500_that_shows_nothing(counting: Counting) -> None:
    answer = await counting.http.get(f"{BASE}/broken")
    assert answer.status_code == 500
    assert_problem(answer, "internal")
    assert "secret" not in answer.text


async def test_problems_speak_the_callers_language(counting: Counting) -> None:
    chinese = await counting.http.post(
        f"{BASE}/counters", json={}, headers={"Accept-Language": "zh-Hans-CN,zh;q=0.9,en;q=0.8"}
    )
    document = assert_problem(chinese, "invalid")
    assert document["title"] == "输入无效"
    assert document["errors"][0]["detail"] == "此项必填"
    assert chinese.headers["content-language"] == "zh-CN"
    english = await counting.http.post(f"{BASE}/counters", json={}, headers={"Accept-Language": "fr"})
    assert assert_problem(english)["title"] == "Invalid input"
    domain = await counting.http.get(f"{BASE}/wrong", headers={"Accept-Language": "zh-CN"})
    assert domain.json()["detail"] == "此值有误"


async def test_a_file_comes_as_it_is_and_is_of_the_type_that_is_asked_for(counting: Counting) -> None:
    headers = {**counting.headers("administrator"), "Content-Type": "text/csv; charset=gb18030"}
    answer = await counting.http.post(f"{BASE}/file", content=b"\xff\x00[", headers=headers)
    assert (answer.status_code, answer.json()) == (202, {"bytes": [255, 0, 91]})
    empty = await counting.http.post(f"{BASE}/file", headers=headers)
    assert empty.json() == {"bytes": []}
    for kind in ("application/json", "text/html", ""):
        wrong = await counting.http.post(f"{BASE}/file", content=b"a", headers={**headers, "Content-Type": kind})
        assert (wrong.status_code, assert_problem(wrong)["code"]) == (415, "unsupported_file_type")
    assert (await counting.http.post(f"{BASE}/file", content=b"x" * 1001, headers=headers)).status_code == 413
    packed = {**headers, "Content-Encoding": "gzip"}
    assert assert_problem(await counting.http.post(f"{BASE}/file", content=b"a", headers=packed))["code"] == (
        "unsupported_encoding"
    )


async def test_intakes_keep_what_cannot_be_stored_as_replacement_characters(counting: Counting) -> None:
    machine = {**counting.headers("integration"), **JSON}
    answer = await counting.http.post(
        f"{BASE}/intake", content=b'{"a\\u0000": ["\\ud800", "\\u4e2d"]}', headers=machine
    )
    assert answer.status_code == 202
    assert answer.json() == {"a\ufffd": ["\ufffd", "中"]}
    big = json.dumps({"a": "x" * (2 * gate.MAX_BODY)}).encode()
    assert (await counting.http.post(f"{BASE}/intake", content=big, headers=machine)).status_code == 202


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec=None)), inner, max_size=4),
    max_leaves=12,
)
BODIES = st.one_of(
    st.binary(max_size=200),
    JSON_VALUES.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("note", "by", "organisation", "at", "labels", "other"), JSON_VALUES),
    ).map(lambda value: json.dumps(value).encode()),
    st.builds(
        lambda note, labels: json.dumps({"note": note, "labels": labels}).encode(),
        st.text(min_size=1),
        st.dictionaries(st.text(), JSON_VALUES, max_size=3),
    ),
)
HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30)
TEXTS = st.text(max_size=20)


async def test_no_request_gives_a_5xx(database: str, tmp_path: Path) -> None:
    seen: set[int] = set()
    async with counting_service(database, tmp_path) as counting:
        loop = asyncio.get_running_loop()
        counter = await counting.make()

        @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
        @given(body=BODIES, key=HEADER, match=HEADER, position=HEADER, text=TEXTS, data=st.data())
        def attack(body: bytes, key: str, match: str, position: str, text: str, data: Any) -> None:
            method, path = data.draw(
                st.sampled_from(
                    [
                        ("POST", "/counters"),
                        ("POST", "/intake"),
                        ("POST", f"/counters/{counter}/add"),
                        ("PUT", f"/counters/{counter}/note"),
                        ("GET", "/counters"),
                        ("GET", "/numbers/7"),
                    ]
                )
            )
            given_headers = {"idempotency-key": key, "if-match": match, "opsledger-position": position, "prefer": key}
            chosen = data.draw(st.sets(st.sampled_from(sorted(given_headers))))
            headers = [(name.encode(), given_headers[name].encode("latin-1")) for name in chosen]
            headers += [
                (b"content-type", b"application/json"),
                (b"authorization", counting.headers("administrator")["Authorization"].encode()),
            ]
            request = counting.http.request(
                method,
                BASE + path,
                params={"text": text, "note": text, "cursor": text} if method == "GET" else None,
                content=body if method != "GET" else None,
                headers=headers,
            )
            answer = asyncio.run_coroutine_threadsafe(request, loop).result(30)
            seen.add(answer.status_code)
            assert answer.status_code < 500, (body, answer.text)
            if answer.status_code >= 400:
                assert_problem(answer)

        await asyncio.to_thread(attack)
    assert {200, 201, 400, 422} <= seen
