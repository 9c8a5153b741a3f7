"""The mart's row of a clock beside what the service levels say of it: one truth, told twice."""

from datetime import datetime
from typing import Any

from tests.support.service_levels import ServiceLevels, at

from reporting.domain.batch import Rows, fold, read
from reporting.domain.rows import ClockRow
from sla.casebook import clock_id


async def mart_row(levels: ServiceLevels, incident: str, metric: str = "resolution") -> ClockRow | None:
    """What reporting makes of the clock's events so far."""
    rows = Rows()
    fold(rows, read(await levels.history(incident, metric)))
    return rows.clocks.get(clock_id(incident, metric))


async def leave_targets_out(levels: ServiceLevels) -> None:
    """Some priorities of the default agreement get no target, or one only."""
    default = (await levels.get("/agreements"))["items"][0]
    body = {key: default[key] for key in ("name", "calendar", "pausing_reasons", "warning_percent")}
    body["targets"] = [
        {"priority": 1, "response_seconds": 900, "resolution_seconds": 14400},
        {"priority": 2, "resolution_seconds": 28800},
        {"priority": 3, "response_seconds": 7200},
        {"priority": 5, "response_seconds": 28800, "resolution_seconds": 432000},
    ]
    await levels.put(f"/agreements/{default['id']}", body, status=200, headers={"If-Match": '"1"'})


async def assert_the_mart_agrees(levels: ServiceLevels, incident: str, *, settled: bool = False) -> None:
    """With the answer of `GET /clocks` and with the table; `settled`: every timer has fired."""
    levels.running.clock.instant = at(-1000)  # so that the answer is as of the clock's last event
    for shown in (await levels.get(f"/clocks?incident={incident}"))["items"]:
        row = await mart_row(levels, incident, shown["metric"])
        table = await levels.row(incident, shown["metric"])
        story = await levels.names(incident, shown["metric"])
        assert row is not None
        assert (row.state, row.met, row.target_seconds, row.elapsed_seconds, row.due_at, row.breached_at) == (
            _state(shown),
            shown["met"],
            shown["target_seconds"],
            shown["elapsed_seconds"],
            *(_instant(shown[name]) for name in ("due_at", "breached_at")),
        ), story
        assert (row.met, row.target_seconds, row.elapsed_seconds, row.due_at) == (
            *(table[name] for name in ("met", "target_seconds", "elapsed_seconds", "due_at")),
        ), story
        if settled and not row.met:  # a promise kept has no breach, though one of the same target was announced before
            assert row.breached_at == table["breached_at"], story
            assert shown["breach_announced"] == (row.breached_at is not None), story


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _state(shown: dict[str, Any]) -> str:
    if shown["state"] == "cancelled":
        return "cancelled"
    if shown["met"] is not None:
        return "met" if shown["met"] else "missed"
    if shown["breached_at"] is not None:
        return "breached"
    return str(shown["state"])
