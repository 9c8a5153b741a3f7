"""Counts from marks are the counts that looking at each incident at each instant gives."""

from bisect import bisect_right
from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from reporting.domain.backlog import Marks

T0 = datetime(2026, 11, 22, tzinfo=UTC)
AGES = [timedelta(0), timedelta(hours=24), timedelta(hours=72)]

# Few different values, so that instants, openings and ends often coincide or lie a microsecond apart.
INSTANTS = st.builds(
    lambda hours, ticks: T0 + timedelta(hours=hours, microseconds=ticks),
    st.sampled_from([0, 1, 12, 24, 25, 48, 72, 96, 100, 240]),
    st.sampled_from([-1, 0, 1]),
)


@given(
    instants=st.lists(INSTANTS, min_size=1, max_size=8).map(sorted),
    lives=st.lists(st.tuples(INSTANTS, st.none() | INSTANTS), max_size=20),
)
def test_counts_are_those_of_looking_at_each(
    instants: list[datetime], lives: list[tuple[datetime, datetime | None]]
) -> None:
    told = [(begun, None if end is None else max(begun, end)) for begun, end in lives]
    marks = Marks(instants, AGES)
    pairs = Counter(
        (bisect_right(marks.after, begun), None if end is None else bisect_right(marks.after, end))
        for begun, end in told
    )
    found = marks.open_at((begun, end, count) for (begun, end), count in pairs.items())
    assert found == [
        [sum(begun <= at - age and (end is None or end > at) for begun, end in told) for at in instants] for age in AGES
    ]
