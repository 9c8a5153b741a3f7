"""Words in titles: whichever way they are looked for, the answer is what each title says."""

import random
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from tests.support.incident_desk import START, Desk

from incident.projections import incident_queue, incident_title
from incident.projections.incident_queue import Filters
from incident.projections.incident_row import folded

WORDS = [
    "核心交换机",
    "交换",
    "告警",
    "登录",
    "ＬＯＧＩＮ",
    "login",
    "Fails",
    "db-01",
    "db-02:9100",
    "100%",
    "a_b",
    "x\\y",
    "'q'",
]
WORDS += ["é", "Straße", "🔥", "二", "ok", "C#", "  ", "sw.core.12", "ﷺ", "e\u0301"]
ASKED = [
    *WORDS,
    "心",
    "换机",
    "og",
    "ogi",
    "fails db",
    "-0",
    "db-0",
    "%",
    "_",
    "\\",
    "'",
    " ",
    "strasse",
    "SS",
    "é",
    "#",
]
ASKED += [
    "zz",
    "not there",
    "不在",
    "db-01 核",
    "核心交换机 告警",
    "login 🔥",
    "01:91",
    "00%",
    "x\\",
    "\\y",
    "___",
    "a%b",
]


async def filled(desk: Desk, count: int) -> list[dict[str, Any]]:
    """Incidents with titles of a few words each, several at one instant."""
    dice, rows = random.Random(4), []
    for number in range(1, count + 1):
        title = dice.choice([" ", "", "/"]).join(dice.sample(WORDS, dice.randint(1, 4))) or "x"
        row = {
            "id": f"incident-{number:04d}",
            "version": 1,
            "number": f"INC{number:07d}",
            "title": title,
            "title_folded": folded(title),
            "state": dice.choice(["new", "assigned"]),
            "impact": 2,
            "urgency": 2,
            "priority": dice.randint(1, 5),
            "channel": "phone",
            "team": dice.choice(["network", None]),
            "requester": dice.choice(["person-1", "person-2", None]),
            "opened_at": START + timedelta(minutes=dice.randint(0, count // 2)),
        }
        rows.append({**row, "changed_at": row["opened_at"]})
    columns = list(rows[0])
    async with desk.pool.acquire() as connection:
        await connection.execute("truncate incident_queue, incident_title")
        await connection.copy_records_to_table(
            "incident_queue", records=[tuple(row.values()) for row in rows], columns=columns
        )
    return rows


def expected(rows: list[dict[str, Any]], filters: Filters, sort: str) -> list[str]:
    keys = {
        "-opened": lambda row: (row["opened_at"], row["number"]),
        "opened": lambda row: (row["opened_at"], row["number"]),
        "priority": lambda row: (row["priority"], row["opened_at"], row["number"]),
    }
    words = folded(filters.q or "")
    found = [
        row
        for row in rows
        if words in row["title_folded"]
        and (filters.team is None or row["team"] == filters.team)
        and (not filters.state or row["state"] in filters.state)
        and (filters.own is None or row["requester"] == filters.own)
    ]
    return [row["number"] for row in sorted(found, key=keys[sort], reverse=sort == "-opened")]


@pytest.mark.parametrize("looked_through", [1, 40, 20_000])
@pytest.mark.parametrize("sort", ["-opened", "opened", "priority"])
async def test_a_search_finds_what_titles_contain_page_by_page(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, looked_through: int, sort: incident_queue.Sort
) -> None:
    monkeypatch.setattr(incident_queue, "_LOOKED_THROUGH", looked_through)
    rows = await filled(desk, 300)
    narrowed = [
        Filters(),
        Filters(team="network"),
        Filters(state=("new",)),
        Filters(own="person-1", state=("assigned",)),
    ]
    for at, word in enumerate(ASKED):
        given = narrowed[at % len(narrowed)]
        filters = Filters(team=given.team, state=given.state, own=given.own, q=word)
        wanted, seen, found = expected(rows, filters, sort), None, []
        while True:
            page = await incident_queue.find(desk.pool, filters, sort, 25, seen)
            found += [record["number"] for record in page]
            if len(page) < 25:
                break
            seen = incident_queue.position(sort, page[-1])[1:]
        assert found == wanted, (word, filters)


async def test_titles_are_kept_for_every_incident_however_it_came(desk: Desk) -> None:
    incident = await desk.open("打印机卡纸")
    await desk.post(f"/incidents/{incident}/assign", {"team": "desktop"})
    rows = await desk.pool.fetch("select number, opened_at, title_folded from incident_title")
    queued = await desk.pool.fetch("select number, opened_at, title_folded from incident_queue")
    assert [tuple(row) for row in rows] == [tuple(row) for row in queued]
    assert [item["id"] for item in (await desk.get(f"/incidents?q={quote('卡纸')}"))["items"]] == [incident]


@pytest.mark.parametrize("word", ["鬯", "交换机", "sw-core-12", "login 告警", "二x"])
async def test_rare_words_are_found_by_index(desk: Desk, word: str) -> None:
    query, values = incident_title.containing(folded(word), 0)
    async with desk.pool.acquire() as connection, connection.transaction():
        await connection.execute("set local enable_seqscan = off")
        plan = await connection.fetch(f"explain {query}", *values)
    assert any("incident_title_parts" in row[0] for row in plan), plan
