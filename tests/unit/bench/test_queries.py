"""Figures of several groups that were taken in one go."""

from bench.cases.queries import _without_first


def test_of_each_group_the_first_is_not_counted() -> None:
    assert _without_first([9.0, 1.0, 2.0, 8.0, 3.0, 4.0], 3) == [[1.0, 2.0], [3.0, 4.0]]
    assert _without_first([9.0, 8.0], 1) == [[], []]
