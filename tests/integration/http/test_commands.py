"""Commands through the door: idempotency, versions, positions, overload."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from tests.support.counting import BASE, Counting
from tests.support.waiting import eventually

from opsledger_runtime import ids
from opsledger_runtime.clock import machine_time
from opsledger_runtime.http import doors as doors_module
from opsledger_runtime.http import idempotency, limits


def key(value: str = "") -> dict[str, str]:
    return {"Idempotency-Key": value or str(ids.new_id())}


async def test_a_command_answers_with_version_location_and_position(counting: Counting) -> None:
    answer = await counting.http.post(f"{BASE}/counters", json={"note": "核心交换机", "organisation": "acme"})
    assert answer.status_code == 201
    counter = answer.json()["id"]
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["location"] == f"{BASE}/counters/{counter}"
    assert answer.headers["opsledger-position"] == "counting:pending"
    assert answer.headers["content-type"] == "application/json"
    [event] = await counting.events()
    assert event.actor == "agent"
    assert event.organisation == "acme"
    assert event.data["text"] == "1 核心交换机"
    assert event.traceparent is not None
    assert event.traceparent == answer.headers["traceparent"]
    shown = await counting.http.get(answer.headers["location"])
    assert shown.json()["note"] == "核心交换机"
    assert shown.headers["etag"] == '"1"'


async def test_the_same_key_and_body_gives_the_first_answer_again(counting: Counting) -> None:
    first = await counting.http.post(f"{BASE}/counters", json={"note": "a"}, headers=key("k-1"))
    again = await counting.http.post(f"{BASE}/counters", json={"note": "a"}, headers=key("k-1"))
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    for name in ("etag", "location", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert len(await counting.events()) == 1
    counting.running.relay.numbers[(await counting.events())[0].id] = 7
    numbered = await counting.http.post(f"{BASE}/counters", json={"note": "a"}, headers=key("k-1"))
    assert numbered.headers["opsledger-position"] == "counting:7"


async def test_the_same_key_with_another_request_is_refused(counting: Counting) -> None:
    await counting.http.post(f"{BASE}/counters", json={"note": "a"}, headers=key("k-1"))
    for url, body in ((f"{BASE}/counters", {"note": "b"}), (f"{BASE}/counters?x=1", {"note": "a"})):
        other = await counting.http.post(url, json=body, headers=key("k-1"))
        assert other.status_code == 422
        assert other.json()["code"] == "idempotency_key_reused"
    assert len(await counting.events()) == 1


async def test_keys_are_scoped_to_the_caller(counting: Counting) -> None:
    await counting.http.post(f"{BASE}/counters", json={"note": "a"}, headers=key("k-1"))
    other = await counting.http.post(
        f"{BASE}/counters", json={"note": "b"}, headers={**key("k-1"), **counting.headers(subject="other")}
    )
    assert other.status_code == 201
    assert len(await counting.events()) == 2


async def test_a_refusal_is_not_kept(counting: Counting) -> None:
    counter = await counting.make(by=95)
    url = f"{BASE}/counters/{counter}/add"
    refused = await counting.http.post(url, json={"by": 10}, headers=key("k-2"))
    assert refused.status_code == 409
    assert refused.json()["code"] == "at_most_100"
    counting.running.store.inline = ()
    await counting.running.pool.execute("delete from es.outbox")
    await counting.running.pool.execute("delete from es.event")
    again = await counting.http.post(url, json={"by": 10}, headers=key("k-2"))
    assert again.status_code == 200


async def test_a_repeat_while_the_first_is_in_flight_is_409(counting: Counting) -> None:
    counter = await counting.make()
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def before(tx: Any) -> None:
        entered.set()
        await go_on.wait()

    counting.running.before = before
    url = f"{BASE}/counters/{counter}/add"
    first = asyncio.create_task(counting.http.post(url, json={"by": 1}, headers=key("k-3")))
    await entered.wait()
    second = await counting.http.post(url, json={"by": 1}, headers=key("k-3"))
    go_on.set()
    assert second.status_code == 409
    assert second.json()["code"] == "in_flight"
    assert second.headers["retry-after"] == "1"
    assert (await first).status_code == 200


async def test_many_twins_at_once_have_one_effect_and_one_answer(counting: Counting) -> None:
    counter = await counting.make()
    for version in (None, "1"):
        url, name = f"{BASE}/counters/{counter}/add", str(ids.new_id())
        headers = {**key(name), **({"If-Match": '"2"'} if version else {})}
        before = len(await counting.events())
        answers = await asyncio.gather(*(counting.http.post(url, json={"by": 3}, headers=headers) for _ in range(25)))
        good = [answer for answer in answers if answer.status_code == 200]
        assert good
        assert {answer.status_code for answer in answers} <= {200, 409}
        assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"in_flight"}
        assert len({answer.content for answer in good}) == 1
        assert len(await counting.events()) == before + 1


async def test_a_twin_that_committed_between_snapshot_and_lock_is_found(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = await counting.make()
    url = f"{BASE}/counters/{counter}/add"
    headers = {**key("k-4"), "If-Match": '"1"'}
    first = await counting.http.post(url, json={"by": 3}, headers=headers)
    assert first.status_code == 200
    claims = 0

    async def blind(*_: Any) -> None:
        nonlocal claims
        claims += 1

    monkeypatch.setattr(counting.running.doors.kept, "claim", blind)
    again = await counting.http.post(url, json={"by": 3}, headers=headers)
    assert claims == 1
    assert (again.status_code, again.content) == (200, first.content)


async def test_a_command_without_events_is_kept_too(counting: Counting) -> None:
    counter = await counting.make()
    url = f"{BASE}/counters/{counter}/reset"
    first = await counting.http.post(url, headers=key("k-5"))
    again = await counting.http.post(url, headers=key("k-5"))
    assert first.status_code == again.status_code == 204
    assert first.content == again.content == b""
    assert again.headers["idempotency-replayed"] == "true"
    assert "opsledger-position" not in first.headers


@pytest.mark.parametrize("bad", ["", " ", "a b", "x" * 256, "schlüssel", "a\tb"])
async def test_a_bad_key_is_refused(counting: Counting, bad: str) -> None:
    answer = await counting.http.post(
        f"{BASE}/counters", json={"note": "a"}, headers={b"Idempotency-Key": bad.encode("latin-1")}
    )
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_idempotency_key"


async def test_machines_must_send_a_key_except_to_intakes(counting: Counting) -> None:
    machine = counting.headers("integration")
    answer = await counting.http.post(f"{BASE}/counters", json={"note": "a"}, headers=machine)
    assert answer.status_code == 400
    assert answer.json()["code"] == "idempotency_key_required"
    assert (await counting.http.post(f"{BASE}/intake", json={"a": 1}, headers=machine)).status_code == 202


async def test_old_answers_are_forgotten_and_younger_ones_kept(counting: Counting) -> None:
    await counting.http.post(f"{BASE}/counters", json={"note": "a"}, headers=key("old"))
    await counting.http.post(f"{BASE}/counters", json={"note": "a"}, headers=key("new"))
    sweeping = counting.running.doors.kept._sweeping
    assert sweeping is not None
    await sweeping
    old = ids.caller_command_id("agent", "old")
    await counting.running.pool.execute(
        "update es.command set recorded_at = recorded_at - interval '97 hours' where id = $1", old
    )
    assert await counting.running.doors.kept.forget_before(machine_time() - idempotency.KEPT) == 1
    left = await counting.running.pool.fetch("select id from es.command")
    assert [row["id"] for row in left] == [ids.caller_command_id("agent", "new")]


async def test_if_match_guards_what_is_replaced(counting: Counting) -> None:
    counter = await counting.make()
    url = f"{BASE}/counters/{counter}/note"
    missing = await counting.http.put(url, json={"note": "b"})
    assert missing.status_code == 428
    good = await counting.http.put(url, json={"note": "b"}, headers={"If-Match": '"1"'})
    assert (good.status_code, good.headers["etag"]) == (200, '"2"')
    stale = await counting.http.put(url, json={"note": "c"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    assert stale.json()["code"] == "version_conflict"


@pytest.mark.parametrize("bad", ["*", "1", 'W/"1"', '"1", "2"', '"x"', '"-1"', '"99999999999"', "", '"'])
async def test_a_bad_if_match_is_refused(counting: Counting, bad: str) -> None:
    url = f"{BASE}/counters/{ids.new_id()}/note"
    answer = await counting.http.put(url, json={"note": "b"}, headers={"If-Match": bad})
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_if_match"


async def test_writers_without_a_version_are_retried(counting: Counting) -> None:
    counter = await counting.make(by=1)
    url = f"{BASE}/counters/{counter}/add"
    answers = await asyncio.gather(*(counting.http.post(url, json={"by": 1}) for _ in range(5)))
    assert [answer.status_code for answer in answers] == [200] * 5
    assert (await counting.http.get(f"{BASE}/counters/{counter}")).json()["total"] == 6


async def test_prefer_wait_waits_for_the_number(counting: Counting) -> None:
    answer = await counting.http.post(f"{BASE}/counters", json={"note": "a"}, headers={"Prefer": "wait=5"})
    assert answer.headers["opsledger-position"] == "counting:41"
    assert answer.headers["preference-applied"] == "wait=5"


async def test_overload_answers_429_with_retry_after(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WAITING_PER_SLOT", 1)
    counter = await counting.make()
    blocked: asyncio.Event = asyncio.Event()

    async def before(tx: Any) -> None:
        await blocked.wait()

    counting.running.before = before
    url = f"{BASE}/counters/{counter}/add"
    tasks = [asyncio.create_task(counting.http.post(url, json={"by": 0})) for _ in range(12)]

    async def all_in() -> bool:
        return counting.running.doors.admission._inside == 12

    await eventually(all_in)
    refused = await counting.http.post(url, json={"by": 0})
    blocked.set()
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    await asyncio.gather(*tasks)
    assert counting.running.doors.admission._inside == 0


async def test_a_full_backlog_and_a_store_behind_its_bus_take_no_command(counting: Counting) -> None:
    counting.running.relay.outbox = 5000
    full = await counting.http.post(f"{BASE}/counters", json={"note": "a"})
    assert (full.status_code, full.json()["code"]) == (429, "backlog_full")
    assert "retry-after" in full.headers
    counting.running.relay.outbox, counting.running.relay.published = 1, 41 - 1000
    full = await counting.http.post(f"{BASE}/counters", json={"note": "a"})
    assert (full.status_code, full.json()["code"]) == (429, "backlog_full"), "what is numbered waits as well"
    counting.running.relay.accepting = False
    behind = await counting.http.post(f"{BASE}/counters", json={"note": "a"})
    assert behind.status_code == 503
    assert "counting" in behind.json()["detail"]
    assert (await counting.http.get(f"{BASE}/counters")).status_code == 200


async def test_a_nearly_full_disk_takes_no_command(
    counting: Counting, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    counting.running.settings.data_dir = tmp_path
    assert (await counting.http.post(f"{BASE}/counters", json={"note": "a"})).status_code == 201
    monkeypatch.setattr(limits, "LEAST_DISK_BYTES", 2**62)
    counting.running.doors.admission._disk_checked = float("-inf")
    full = await counting.http.post(f"{BASE}/counters", json={"note": "a"})
    assert (full.status_code, full.json()["code"]) == (429, "disk_full")


async def test_an_unreachable_database_is_503_with_retry_after(counting: Counting) -> None:
    counter = await counting.make()
    await counting.running.pool.close()
    for request in (
        counting.http.get(f"{BASE}/counters/{counter}"),
        counting.http.post(f"{BASE}/counters", json={"note": "a"}, headers=key("k")),
        counting.http.get("/readyz"),
    ):
        answer = await request
        assert answer.status_code == 503
    told = await counting.http.post(f"{BASE}/counters", json={"note": "a"})
    assert told.json()["code"] == "unavailable"
    assert told.headers["retry-after"] == "2"


async def test_planted_early_acknowledgement_answers_before_the_commit(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors_module, "planted", lambda name: name == "acknowledge-before-commit")
    answer = await counting.http.post(f"{BASE}/counters", json={"note": "a"})
    assert answer.status_code == 201
    assert await counting.events() == []

    async def committed() -> bool:
        return len(await counting.events()) == 1

    assert await eventually(committed)
    again = await counting.http.get(f"{BASE}/counters/{UUID(answer.json()['id'])}")
    assert again.status_code == 200


async def test_twins_in_one_transaction_have_one_effect_and_one_answer(counting: Counting) -> None:
    """Both are decided before either answer is stored; then the second is found to be a repeat."""
    url = f"{BASE}/counters"
    answers = await asyncio.gather(
        *(counting.http.post(url, json={"note": "a"}, headers=key("twin")) for _ in range(10)),
        *(counting.http.post(url, json={"note": "b"}, headers=key(f"other-{n}")) for n in range(5)),
    )
    twins = [answer for answer in answers[:10] if answer.status_code == 201]
    assert twins
    assert len({answer.content for answer in twins}) == 1
    assert {answer.json()["code"] for answer in answers[:10] if answer.status_code != 201} <= {"in_flight"}
    assert [answer.status_code for answer in answers[10:]] == [201] * 5
    assert len(await counting.events()) == 6
    other_body = await counting.http.post(url, json={"note": "c"}, headers=key("twin"))
    assert (other_body.status_code, other_body.json()["code"]) == (422, "idempotency_key_reused")


async def test_answers_of_one_transaction_are_each_kept(counting: Counting) -> None:
    url = f"{BASE}/counters"
    names = [f"k-{n}" for n in range(6)]
    first = await asyncio.gather(*(counting.http.post(url, json={"note": n}, headers=key(n)) for n in names))
    transactions = await counting.running.pool.fetch("select distinct xmin::text from es.event")
    assert len(transactions) < len(names), "the clock of this test stands still, so only the database can tell"
    again = await asyncio.gather(*(counting.http.post(url, json={"note": n}, headers=key(n)) for n in names))
    assert [answer.content for answer in again] == [answer.content for answer in first]
    assert {answer.headers["idempotency-replayed"] for answer in again} == {"true"}
