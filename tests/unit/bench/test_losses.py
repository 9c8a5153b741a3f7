"""A case that lost something is a failed case, however fast it was."""

from collections.abc import Mapping, Sequence

import pytest
from bench import __main__ as command
from bench import cases
from bench.bench import Bench
from bench.case import Case
from bench.losses import losses
from bench.results import Measurement

IDS = ("a", "b")
STREAM: Mapping[str, Sequence[tuple[int, str]]] = {
    "incident": [(1, "a"), (2, "b")],
    "sla": [(1, "c1"), (2, "c2"), (3, "c3"), (4, "c4")],
}
CLOCKS = {"a": 2, "b": 2}


def test_nothing_is_lost_where_everything_is_everywhere() -> None:
    assert losses(IDS, stored=IDS, announced=STREAM, reported=IDS, clocks=CLOCKS) == []


def test_what_does_not_run_cannot_lose() -> None:
    assert losses(IDS, stored=[*IDS, "more"], announced={"incident": STREAM["incident"]}) == []


def test_each_place_where_one_is_missing_is_named() -> None:
    found = losses(
        ("a", "b", "x"), stored=("a", "b"), announced=STREAM, reported=("a", "x"), clocks={"a": 2, "b": 1, "x": 2}
    )
    assert found == [
        "1 acknowledged incidents are not in the store: x",
        "1 acknowledged incidents are not in the stream: x",
        "1 acknowledged incidents are not in the mart: b",
        "1 incidents have [1] clocks, not 2: b",
    ]


@pytest.mark.parametrize(
    ("numbers", "told"),
    [([1, 3], "number 3 where 2 belongs"), ([1, 1, 2], "number 1 where 2 belongs"), ([2, 1], "number 2 where 1")],
)
def test_a_gap_a_repeat_and_a_wrong_order_on_the_stream_are_seen(numbers: list[int], told: str) -> None:
    found = losses((), stored=(), announced={"incident": [(number, "a") for number in numbers]})
    assert len(found) == 1
    assert told in found[0]


def test_an_id_told_to_two_callers_is_a_loss() -> None:
    assert losses(("a", "a"), stored=("a",), announced=STREAM) == ["1 ids were told twice"]


@pytest.mark.parametrize(("lost", "code"), [([], 0), (["1 acknowledged incidents are not in the store: x"], 1)])
def test_a_case_that_loses_something_fails_the_run(
    lost: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run(bench: Bench) -> None:
        bench.record(Measurement("relay", "drain", 1e6, "events/s", aim="fast", met=True))
        bench.fail(lost)

    monkeypatch.setattr(cases, "case", lambda name: Case(name, "none.", run))
    assert command.main(["relay", "--quick"]) == code
    assert all(sentence in capsys.readouterr().out for sentence in lost)


def test_a_case_that_breaks_fails_the_run_and_lets_the_next_one_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run(bench: Bench) -> None:
        if bench.result.name == "relay":
            raise RuntimeError("no such thing")
        bench.tell("at work")

    monkeypatch.setattr(cases, "case", lambda name: Case(name, "none.", run))
    assert command.main(["relay", "size", "--quick"]) == 1
    told = capsys.readouterr().out
    assert "the case broke: RuntimeError: no such thing" in told
    assert "size: at work" in told
