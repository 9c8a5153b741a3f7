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
    instants=st.lists(INSTANTS, min_size=1, max_size=8, unique=True).map(sorted),
    lives=st.lists(st.lists(INSTANTS, min_size=2, max_size=3).map(sorted), max_size=20),
)
def test_counts_are_those_of_looking_at_each(instants: list[datetime], lives: list[list[datetime]]) -> None:
    told = [(life[0], life[-2], life[-1]) for life in lives]
    marks = Marks(instants, AGES)
    triples = Counter(
        (
            bisect_right(marks.after, opened),
            bisect_right(marks.after_instants, began),
            bisect_right(marks.after_instants, ended),
        )
        for opened, began, ended in told
    )
    found = marks.open_at((*triple, count) for triple, count in triples.items())
    assert found == [
        [sum(opened <= at - age and began <= at < ended for opened, began, ended in told) for at in instants]
        for age in AGES
    ]
