"""What is written of an incident into its read model is what is shown of it."""

from datetime import UTC, datetime, timedelta

import pydantic_core
from bench.cases.clocks_filling import life

from incident.generating import Plan
from incident.projections.incident_row import COLUMNS, IncidentRow, fold, folded, shown, to_record
from opsledger_events.envelope import parse_instant

UNTIL = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
COUNT = 200


def test_a_record_holds_what_is_shown_and_leaves_out_what_is_null() -> None:
    plan = Plan(1, 0, COUNT, UNTIL - timedelta(days=365), UNTIL, "full", 20)
    for index in range(COUNT):
        row = fold(IncidentRow(str(index)), life(plan, index, UNTIL))
        told = {**shown(row), "title_folded": folded(row.incident.title)}
        assert list(told) == list(COLUMNS)
        written = pydantic_core.from_json(pydantic_core.to_json(to_record(row)))
        assert list(written) == [name for name in COLUMNS if told[name] is not None]
        for name, value in written.items():
            if name.endswith("_at"):
                assert parse_instant(value) == parse_instant(told[name])
            else:
                assert value == told[name]
