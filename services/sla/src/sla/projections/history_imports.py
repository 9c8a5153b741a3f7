"""Which imports are told to their end. Subscribed, by `clocks`.

An event of an import opens it, again where it was told before, and its completion ends it: so whatever is read in
order knows for each event whether more of its import is still to come.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from opsledger_events import Envelope
from opsledger_events.contexts.incident import HistoryImportCompleted
from opsledger_runtime.projections import Projection, Table
from sla.projections.incident_facts import READS as FACTS

COMPLETED: Final = HistoryImportCompleted.type_name
READS: Final = FACTS | {COMPLETED}


async def _apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    told = {one.importid: one.type_name == COMPLETED for one in envelopes if one.importid is not None}
    if told:
        await connection.execute(
            "insert into history_import (id, told) select * from unnest($1::text[], $2::boolean[])"
            " on conflict (id) do update set told = excluded.told where history_import.told <> excluded.told",
            sorted(told),
            [told[import_id] for import_id in sorted(told)],
        )


async def under_way(connection: Any, imports: Iterable[str]) -> frozenset[str]:
    """Those of which more is to come."""
    rows = await connection.fetch("select id from history_import where id = any($1::text[]) and not told", [*imports])
    return frozenset(row["id"] for row in rows)


HISTORY_IMPORTS: Final = Projection("history_imports", 1, READS, (Table("history_import", ("id",)),), _apply)
