"""An import works by the batch: how many statements it asks of the database does not grow with the lines."""

from typing import Any

import pytest
from tests.support.register import Register

from cmdb.intake import csv_file
from cmdb.intake.importing import take_in
from cmdb.settings import CmdbSettings
from opsledger_runtime import ids
from opsledger_runtime.auth import Caller
from opsledger_runtime.store import EventStore, Metadata, Transaction

HEADER = "key,name,class,owner_team,identifier:serial,depends_on,runs_on\n"
BATCHES = 2
"""Of items, and as many of relations."""


class Counted:
    """A connection that counts what is asked of it."""

    def __init__(self, connection: Any, asked: list[str]) -> None:
        self._connection = connection
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        if name in ("fetch", "fetchrow", "fetchval", "execute", "executemany"):
            self._asked.append(name)
        return getattr(self._connection, name)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement of every transaction from now on."""
    found: list[str] = []
    begun = Transaction.__init__

    def counted(self: Transaction, store: EventStore, connection: Any, *given: Any, **more: Any) -> None:
        begun(self, store, Counted(connection, found), *given, **more)

    monkeypatch.setattr(Transaction, "__init__", counted)
    return found


def lines(count: int, name: str) -> bytes:
    """Virtual machines on servers, each depending on the next."""
    found = []
    for number in range(0, count, 2):
        found.append(f"host-{number},{name},server,unix,H-{number},host-{(number + 2) % count},")
        found.append(f"vm-{number},{name},virtual_machine,,V-{number},,host-{number}")
    return (HEADER + "\n".join(found)).encode()


async def test_a_thousand_lines_need_a_few_statements_for_each_batch(register: Register, asked: list[str]) -> None:
    async def imported(body: bytes) -> tuple[dict[Any, int], int, int]:
        asked.clear()
        finished = await take_in(
            register.running.store,
            "csv",
            csv_file.read(body),
            rules=CmdbSettings().matching,
            caller=Caller("x", frozenset(), None),
            metadata=Metadata(ids.new_id(), "x"),
            dry_run=False,
        )
        counts = {name: count for name, count in finished.report.counts.items() if count}
        return counts, finished.report.related, len(asked)

    counts, related, statements = await imported(lines(1000, "一"))
    assert (counts, related) == ({"registered": 1000}, 1000)
    assert statements <= 2 * BATCHES * 12
    counts, related, statements = await imported(lines(1000, "二"))
    assert (counts, related) == ({"changed": 1000}, 0)
    assert statements <= 2 * BATCHES * 12
    counts, related, statements = await imported(lines(1000, "二"))
    assert (counts, related) == ({"unchanged": 1000}, 0)
    assert statements <= 2 * BATCHES * 6
