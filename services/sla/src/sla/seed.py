"""A new installation's marked defaults, so that an incident opened at once gets clocks. Safe to run again."""

from typing import TYPE_CHECKING, Any, Final

from opsledger_runtime import ids
from opsledger_runtime.store import EventStore, Metadata, Transaction
from sla.domain.calendar import always_open
from sla.domain.commands import DefineAgreement, DefineCalendar
from sla.domain.definitions import DEFINITION

if TYPE_CHECKING:
    from opsledger_runtime.running import Running

DEFAULT_CALENDAR: Final = str(ids.derived_id("calendar", "default"))
DEFAULT_AGREEMENT: Final = str(ids.derived_id("agreement", "default"))

_MINUTE: Final = 60
_HOUR: Final = 3600
_TARGETS: Final = (
    (1, 15 * _MINUTE, 4 * _HOUR),
    (2, 30 * _MINUTE, 8 * _HOUR),
    (3, 2 * _HOUR, 24 * _HOUR),
    (4, 4 * _HOUR, 72 * _HOUR),
    (5, 8 * _HOUR, 120 * _HOUR),
)


async def seed(running: "Running") -> None:
    """Define the defaults where there are none."""
    await seed_store(running.store)


async def seed_store(store: EventStore) -> None:
    """As `seed`, for a store alone. What somebody has changed since is left alone."""

    async def work(tx: Transaction) -> None:
        calendar = DefineCalendar("全天候 / Around the clock", always_open("UTC").definition(), default=True)
        await _define(tx, DEFAULT_CALENDAR, calendar)
        await _define(
            tx,
            DEFAULT_AGREEMENT,
            DefineAgreement(
                name="默认协议 / Default agreement",
                calendar_id=DEFAULT_CALENDAR,
                calendar=always_open("UTC"),
                targets=tuple(
                    {"priority": priority, "response_seconds": response, "resolution_seconds": resolution}
                    for priority, response, resolution in _TARGETS
                ),
                pausing_reasons=("awaiting_requester", "awaiting_third_party"),
                warning_percent=(75,),
                at=tx.now,
            ),
        )

    await store.run(work)


async def _define(tx: Transaction, aggregate: str, command: Any) -> None:
    if (await tx.load(DEFINITION, aggregate)).version == 0:
        metadata = Metadata(command_id=ids.derived_id("seed", aggregate), actor="service:sla")
        await tx.execute(DEFINITION, aggregate, command, metadata)
