"""The switch of the planted bugs."""

import pytest

from opsledger_runtime import planted


@pytest.fixture(autouse=True)
def _read_again() -> object:
    planted.planted_bug.cache_clear()
    yield
    planted.planted_bug.cache_clear()


def test_without_the_switch_no_bug_is_planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(planted.SWITCH, raising=False)
    assert not any(planted.planted(bug.value) for bug in planted.PlantedBug)


def test_the_switch_plants_one_bug_and_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(planted.SWITCH, "stock-batch-loop")
    assert planted.planted("stock-batch-loop")
    monkeypatch.setenv(planted.SWITCH, "lease-ignored")
    assert planted.planted("stock-batch-loop")
    assert not planted.planted("lease-ignored")


def test_a_misspelt_bug_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(planted.SWITCH, "pipelined-rely")
    with pytest.raises(ValueError, match="choose one of"):
        planted.planted("pipelined-relay")
    monkeypatch.setenv(planted.SWITCH, "")
    planted.planted_bug.cache_clear()
    with pytest.raises(ValueError, match="not a valid"):
        planted.planted("no-such-bug")
