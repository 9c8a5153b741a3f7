"""A clock's row after another revision of its calendar was applied."""

from datetime import UTC, datetime, timedelta

from tests.support.stories import Story, about, started

from opsledger_events.contexts import sla as s
from reporting.domain.batch import Rows, fold, read

T0 = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_moved_due_instant_and_a_breach_taken_back_reach_the_row() -> None:
    said = about("a", 1, "resolution")
    standing = s.ClockStanding(
        state="running", elapsed_seconds=1800, due_at=T0 + 9 * HOUR, breach_at=T0 + 9 * HOUR, target_seconds=3600
    )
    moved = s.SLAClockRescheduled(
        **said,
        at=T0 + 2 * HOUR,
        calendar="c",
        calendar_revision=2,
        previous_calendar_revision=1,
        time_zone_database="2026a",
        elapsed_seconds=1800,
        previous_due_at=T0 + HOUR,
        due_at=T0 + 9 * HOUR,
        because="event-9",
        standing=standing,
    )
    story = Story()
    story.tell("c", started(said, T0, 3600), T0)
    story.tell("c", s.SLABreached(**said, at=T0 + HOUR, due_at=T0 + HOUR, target_seconds=3600), T0 + HOUR)
    story.tell("c", moved, T0 + 2 * HOUR)
    rows = Rows()
    fold(rows, read(story.envelopes))
    row = rows.clocks["c"]
    assert (row.due_at, row.breached_at, row.elapsed_seconds) == (T0 + 9 * HOUR, None, 1800)
    assert (row.state, row.decided_at) == ("running", None)
