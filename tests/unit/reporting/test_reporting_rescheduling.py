"""A clock's row after another revision of its calendar, or other terms, were applied."""

from datetime import UTC, datetime, timedelta

from tests.support.stories import Story, about, started, terms_changed

from opsledger_events.contexts import sla as s
from reporting.domain.batch import Rows, fold, read
from reporting.domain.rows import ClockRow

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


def after_terms(*before: tuple[timedelta, s.ClockEvent], standing: s.ClockStanding | None = None) -> ClockRow:
    """The row of a clock of an hour that two hours later is told to be of eight."""
    story, said = Story(), SAID
    story.tell("c", started(said, T0, 3600), T0)
    for after, event in before:
        story.tell("c", event, T0 + after)
    story.tell("c", terms_changed(said, T0, 8 * 3600, T0 + 8 * HOUR, standing), T0 + 2 * HOUR)
    rows = Rows()
    fold(rows, read(story.envelopes))
    return rows.clocks["c"]


SAID = about("a", 1, "resolution", kind="uc", party="vendor-x", team="vendor-x")


def test_other_terms_name_the_agreement_and_count_from_the_start() -> None:
    row = after_terms((HOUR, s.SLAWarningReached(**SAID, percent=75, due_at=T0 + HOUR)))
    assert (row.agreement_id, row.agreement_revision, row.target_seconds) == ("agreement-1", 2, 8 * 3600)
    assert (row.due_at, row.elapsed_seconds, row.warned_at) == (T0 + 8 * HOUR, 60, T0 + HOUR)
    assert (row.kind, row.party, row.state) == ("uc", "vendor-x", "running")


def test_other_terms_take_a_breach_back_or_bring_one() -> None:
    breached = (HOUR, s.SLABreached(**SAID, due_at=T0 + HOUR, target_seconds=3600, provisional=True))
    row = after_terms(breached)
    assert (row.state, row.breached_at, row.decided_at, row.provisional) == ("running", None, None, False)
    late = s.ClockStanding(
        state="running", elapsed_seconds=7200, due_at=T0, target_seconds=1800, breached_at=T0 + HOUR / 2
    )
    row = after_terms(standing=late)
    assert (row.state, row.target_seconds, row.decided_at) == ("breached", 1800, T0 + HOUR / 2)
    paused = s.ClockStanding(state="paused", elapsed_seconds=60, target_seconds=8 * 3600)
    assert after_terms(standing=paused).state == "paused"


def test_a_breach_that_is_none_by_other_terms_is_one_withdrawn() -> None:
    longer = terms_changed(SAID, T0, 8 * 3600, T0 + 8 * HOUR)
    withdrawn = s.SLABreachWithdrawn(
        **SAID, due_at=T0 + HOUR, because="event-9", target_seconds=3600, standing=longer.standing
    )
    story = Story()
    story.tell("c", started(SAID, T0, 3600), T0)
    for event in (s.SLABreached(**SAID, due_at=T0 + HOUR, target_seconds=3600), longer, withdrawn):
        story.tell("c", event, T0 + 2 * HOUR)
    rows = Rows()
    fold(rows, read(story.envelopes))
    assert (rows.clocks["c"].state, rows.clocks["c"].withdrawn) == ("running", True)


def test_a_withdrawal_after_other_terms_leaves_the_breach_of_these_terms() -> None:
    """The core takes the old breach back by its own target; a breach of the new one stands."""
    late = s.ClockStanding(
        state="running", elapsed_seconds=9000, due_at=T0, target_seconds=1800, breached_at=T0 + HOUR / 2
    )
    story = Story()
    story.tell("c", started(SAID, T0, 3600), T0)
    story.tell("c", s.SLABreached(**SAID, due_at=T0 + HOUR, target_seconds=3600), T0 + HOUR)
    story.tell("c", terms_changed(SAID, T0, 1800, T0, late), T0 + 2 * HOUR)
    withdrawn = s.SLABreachWithdrawn(**SAID, due_at=T0 + HOUR, because="event-9", target_seconds=3600, standing=late)
    story.tell("c", withdrawn, T0 + 2 * HOUR)
    rows = Rows()
    fold(rows, read(story.envelopes))
    assert (rows.clocks["c"].state, rows.clocks["c"].breached_at) == ("breached", T0 + HOUR / 2)


def test_a_clock_keeps_its_kind_and_the_team_that_it_measures_wherever_the_incident_goes() -> None:
    story = Story()
    story.tell("c", started(SAID, T0, 3600), T0)
    story.tell("c", s.SLAMet(**{**SAID, "team": "field"}, elapsed_seconds=60), T0 + HOUR)
    story.tell("d", started(about("a", 1, "response"), T0, 3600), T0)
    rows = Rows()
    fold(rows, read(story.envelopes))
    assert (rows.clocks["c"].kind, rows.clocks["c"].party, rows.clocks["c"].team) == ("uc", "vendor-x", "field")
    assert (rows.clocks["d"].kind, rows.clocks["d"].party) == ("sla", None)
    assert set(rows.teams) == {"vendor-x", "field"}
