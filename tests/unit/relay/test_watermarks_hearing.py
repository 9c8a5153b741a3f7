"""Which word of a relay counts."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from opsledger_runtime import watermarks
from opsledger_runtime.watermarks import Watermarks

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Word:
    """What the client hands over."""

    def __init__(self, data: Any, context: str = "sla") -> None:
        self.subject = f"opsledger.relay.{context}"
        self.data = data if isinstance(data, bytes) else json.dumps(data).encode()


async def hear(marks: Watermarks, word: Word) -> None:
    await marks._hear(cast(Any, word))


def at(instant: datetime, last: int) -> dict[str, Any]:
    return {"time": instant.isoformat(), "last": last}


async def test_the_latest_word_counts_and_an_old_one_that_arrives_late_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = 100.0
    monkeypatch.setattr(watermarks, "monotonic", lambda: clock)
    marks = Watermarks(cast(Any, None))
    await hear(marks, Word(at(NOON, 5)))
    await hear(marks, Word(at(NOON - timedelta(seconds=9), 3)))
    found = marks.of("sla")
    assert found is not None
    assert (found.context, found.time, found.last, found.heard) == ("sla", NOON, 5, 100.0)
    clock += 6  # the later word fell silent: the clock was moved back
    await hear(marks, Word(at(NOON - timedelta(hours=1), 6)))
    found = marks.of("sla")
    assert found is not None
    assert found.last == 6
    assert marks.of("incident") is None


@pytest.mark.parametrize(
    "junk", [b"", b"[]", b"\xff", {"time": "noon", "last": 1}, {"time": "2026-01-01T00:00:00", "last": 1}, {"last": 1}]
)
async def test_an_unreadable_word_changes_nothing(junk: Any) -> None:
    marks = Watermarks(cast(Any, None))
    await hear(marks, Word(at(NOON, 5)))
    await hear(marks, Word(junk))
    found = marks.of("sla")
    assert found is not None
    assert found.last == 5
