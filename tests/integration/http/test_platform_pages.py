"""Health, metrics, documentation, pages, positions of reads."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.counting import BASE, Counting


async def test_livez_touches_nothing_and_readyz_tells_what_is_missing(counting: Counting) -> None:
    counting.http.headers.pop("Authorization")
    ready = await counting.http.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"ready": True, "services": {"counting": {"ready": True, "not_ready": [], "degraded": []}}}
    counting.running.draining = True
    counting.running.relay.accepting = False
    counting.running.nats = SimpleNamespace(  # type: ignore[assignment]
        is_connected=True, connected_server_version=SimpleNamespace(major=2, minor=14, patch=9)
    )
    await counting.running.pool.close()
    broken = await counting.http.get("/readyz")
    assert broken.status_code == 503
    lacking = broken.json()["services"]["counting"]["not_ready"]
    assert [item["what"] for item in lacking] == ["postgres", "nats_version", "draining"]
    assert all(item["do"] for item in lacking)
    assert (await counting.http.get("/livez")).status_code == 200


async def test_a_service_without_its_bus_stays_in_service_and_says_so(counting: Counting) -> None:
    counting.running.nats = SimpleNamespace(is_connected=False)  # type: ignore[assignment]
    counting.running.relay.accepting = False
    found = await counting.http.get("/readyz")
    assert found.status_code == 200
    degraded = found.json()["services"]["counting"]["degraded"]
    assert [item["what"] for item in degraded] == ["nats", "relay"]
    assert all(item["do"] for item in degraded)


async def test_metrics_count_commands_and_show_gauges(counting: Counting) -> None:
    async def read() -> dict[tuple[str, str], float]:
        return {("mail", "waiting"): 3}

    async def broken() -> dict[tuple[str, ...], float]:
        raise RuntimeError

    counting.running.doors.gauge("deliveries", "Deliveries by state", ("channel", "state"), read)
    await counting.make()
    await counting.http.post(f"{BASE}/counters", json={"note": ""})
    text = (await counting.http.get("/metrics")).text
    assert 'opsledger_commands_total{action="counter.make",context="counting",outcome="accepted"}' in text
    assert 'opsledger_refused_commands_total{action="counter.make",code="invalid",context="counting"}' in text
    assert f'route="{BASE}/counters",status="201"' in text
    assert 'opsledger_relay_oldest_seconds{context="counting"} 1.5' in text
    assert 'opsledger_deliveries{channel="mail",context="counting",state="waiting"} 3.0' in text
    counting.running.doors.gauge("broken", "Never readable", (), broken)
    assert (await counting.http.get("/metrics")).status_code == 200


async def test_the_documentation_needs_no_other_host(counting: Counting) -> None:
    page = await counting.http.get("/docs")
    assert f"{BASE}/counters" in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    document = (await counting.http.get("/openapi.json")).json()
    operation = document["paths"][f"{BASE}/counters"]["post"]
    assert operation["security"] == [{"bearer": []}]
    assert {"Idempotency-Key", "If-Match"} <= {item["name"] for item in operation["parameters"]}
    assert "application/problem+json" in operation["responses"]["4XX"]["content"]
    assert "HTTPValidationError" not in json.dumps(document["paths"])


async def test_pages_walk_through_everything_once(counting: Counting) -> None:
    made = {await counting.make() for _ in range(7)}
    url, found = f"{BASE}/counters?limit=3", []
    while True:
        answer = await counting.http.get(url)
        page = answer.json()
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            assert "link" not in answer.headers
            break
        assert answer.headers["link"].endswith('; rel="next"')
        url = answer.headers["link"].split(">")[0].removeprefix("<")
    assert found == sorted(made)


async def test_a_read_waits_for_the_position_it_brings(counting: Counting) -> None:
    await counting.running.pool.execute(
        "insert into es.checkpoint (subscription, version, sequences) values ('watch', 1, '{\"other\": 4}')"
    )
    watch = SimpleNamespace(name="watch", contexts=("other",))
    counting.running.service = SimpleNamespace(subscriptions=[watch])  # type: ignore[assignment]

    async def get(position: str) -> Any:
        return await counting.http.get(f"{BASE}/counters", headers={"Opsledger-Position": position})

    for there in ("other:4", "counting:9", "counting:pending", "other:pending, counting:3", "unknown:8"):
        answer = await get(there)
        assert answer.status_code == 200
        assert "opsledger-position-behind" not in answer.headers
    waiting = asyncio.create_task(get("other:5"))
    done, _ = await asyncio.wait([waiting], timeout=0.2)
    assert not done
    await counting.running.pool.execute("update es.checkpoint set sequences = '{\"other\": 5}'")
    assert "opsledger-position-behind" not in (await waiting).headers
    late = await get("other:6")
    assert late.status_code == 200
    assert late.headers["opsledger-position-behind"] == "true"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", True),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", False),
        ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", False),
        ("garbage", False),
    ],
)
async def test_a_trace_goes_on(counting: Counting, given: str, kept: bool) -> None:
    answer = await counting.http.post(f"{BASE}/counters", json={"note": "a"}, headers={"traceparent": given})
    assert ("4bf92f3577b34da6a3ce929d0e0e4736" in answer.headers["traceparent"]) is kept
    assert answer.headers["traceparent"] != given
    assert (await counting.events())[-1].traceparent == answer.headers["traceparent"]
