"""What figures are made of."""

import math
import os

import pytest
from bench.measuring import Others, Stopwatch, cpu_seconds, percentile, resident_mib, tree, used


@pytest.mark.parametrize(
    ("q", "wanted"), [(0.0, 1), (0.01, 1), (0.5, 50), (0.505, 51), (0.99, 99), (0.991, 100), (1.0, 100)]
)
def test_a_percentile_is_the_nearest_rank(q: float, wanted: int) -> None:
    assert percentile([*range(100, 0, -1)], q) == wanted


def test_of_nothing_there_is_no_percentile() -> None:
    assert math.isnan(percentile([], 0.5))
    assert percentile([7.0], 0.99) == 7.0


def test_a_stopwatch_stands_still_after_the_end() -> None:
    with Stopwatch() as watch:
        assert watch.seconds >= 0
    assert watch.seconds == watch.seconds


def test_what_a_process_uses_is_read_from_the_kernel() -> None:
    pid = os.getpid()
    before = cpu_seconds(pid)
    assert pid in tree(pid)
    assert resident_mib([pid]) > 1
    sum(number * number for number in range(2_000_000))
    assert cpu_seconds(pid) > before > 0
    assert used({"a": 1.0}, {"a": 1.5, "b": 2.0}) == {"a": 0.5, "b": 2.0}


def test_a_process_that_is_gone_uses_nothing() -> None:
    assert tree(2**30) == []
    assert cpu_seconds(2**30) == 0
    assert resident_mib([2**30]) == 0


def test_what_we_use_ourselves_is_not_of_others() -> None:
    assert 0 <= Others().share() <= 1
