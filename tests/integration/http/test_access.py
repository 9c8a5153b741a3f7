"""Who may do what: tokens, roles, organisations, and what is logged of a refusal."""

from typing import Any

import pytest
import structlog
from tests.support.counting import BASE, Counting

from opsledger_runtime import ids
from opsledger_runtime.auth import LocalIssuer

ENDPOINTS = [
    ("POST", "/counters"),
    ("POST", f"/counters/{ids.derived_id('no such counter')}/add"),
    ("PUT", f"/counters/{ids.derived_id('no such counter')}/note"),
    ("POST", "/intake"),
    ("GET", "/counters"),
    ("GET", f"/counters/{ids.derived_id('no such counter')}"),
    ("GET", "/status"),
]


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
async def test_every_endpoint_refuses_missing_bad_and_foreign_tokens(
    counting: Counting, tmp_path: Any, method: str, path: str
) -> None:
    foreign = LocalIssuer.load_or_create(tmp_path / "foreign.json")
    tokens = {
        None: "unauthenticated",
        "": "bad_token",
        "Basic YTpi": "bad_token",
        "Bearer": "bad_token",
        "Bearer x.y.z": "bad_token",
        f"Bearer {foreign.token('administrator')}": "bad_token",
        f"Bearer {counting.issuer.token('administrator', hours=-1)}": "bad_token",
    }
    for value, code in tokens.items():
        counting.http.headers.pop("Authorization", None)
        headers = {} if value is None else {"Authorization": value}
        answer = await counting.http.request(method, BASE + path, json={}, headers=headers)
        assert answer.status_code == 401, (value, answer.text)
        assert answer.json()["code"] == code
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
async def test_every_endpoint_refuses_a_wrong_role(counting: Counting, method: str, path: str) -> None:
    answer = await counting.http.request(
        method, BASE + path, json={"note": "a", "by": 1}, headers=counting.headers("requester")
    )
    assert answer.status_code == 403
    assert answer.json()["code"] == "role_forbidden"


async def test_an_administrator_may_do_everything(counting: Counting) -> None:
    headers = counting.headers("administrator")
    assert (await counting.http.post(f"{BASE}/counters", json={"note": "a"}, headers=headers)).status_code == 201
    status = await counting.http.get(f"{BASE}/status", headers=headers)
    assert status.json()["relay"]["state"] == "leading"


async def test_an_undeclared_action_is_found_at_start(counting: Counting) -> None:
    with pytest.raises(LookupError, match=r"counter\.melt"):
        counting.running.doors.command("counter.melt")


async def test_callers_of_one_organisation_see_and_change_only_theirs(counting: Counting) -> None:
    theirs = await counting.make(organisation="acme")
    others = await counting.make(organisation="other")
    headers = counting.headers("agent", organisations=["acme"])
    listed = await counting.http.get(f"{BASE}/counters", headers=headers)
    assert [item["id"] for item in listed.json()["items"]] == [theirs]
    assert (await counting.http.get(f"{BASE}/counters/{others}", headers=headers)).status_code == 404
    changed = await counting.http.post(f"{BASE}/counters/{others}/add", json={"by": 1}, headers=headers)
    assert changed.status_code == 404
    made = await counting.http.post(f"{BASE}/counters", json={"note": "a", "organisation": "other"}, headers=headers)
    assert made.status_code == 403


async def test_refused_commands_are_logged_and_requests_leave_one_line(counting: Counting) -> None:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        await counting.http.post(
            f"{BASE}/counters", json={"note": "a"}, headers={**counting.headers("auditor"), "X": "1"}
        )
        await counting.http.get(f"{BASE}/counters/{ids.derived_id('no such counter')}")
    [refused] = [line for line in lines if line["event"] == "command_refused"]
    assert refused["action"] == "counter.make"
    assert refused["code"] == "role_forbidden"
    assert refused["caller"] == "auditor"
    done = [line for line in lines if line["event"] == "request_done"]
    assert [(line["method"], line["route"], line["status"]) for line in done] == [
        ("POST", f"{BASE}/counters", 403),
        ("GET", f"{BASE}/counters/{{counter}}", 404),
    ]
    assert all(len(line["trace_id"]) == 32 for line in lines)
