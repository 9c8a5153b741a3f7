"""Read model `relation` (inline): every relation with its beginning and its end, for the graph as of any instant."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from opsledger_events import Envelope
from opsledger_events.contexts.cmdb import ConfigurationItemsRelated, ConfigurationItemsUnrelated
from opsledger_runtime.projections import Projection, Table

_BEGIN: Final = """
insert into relation (id, source, target, relation, impact, valid_from, version)
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::integer[])
"""
_END: Final = """
update relation set valid_to = ended.at
from unnest($1::text[], $2::timestamptz[], $3::integer[]) as ended (id, at, version)
where relation.id = ended.id and relation.version = ended.version and relation.valid_to = 'infinity'
"""


async def apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    """One statement for each run of events of a kind: an end follows its beginning within the same batch too."""
    for kind, found in groupby(envelopes, lambda envelope: envelope.type_name):
        run = list(found)
        ids = [envelope.subject for envelope in run]
        times = [envelope.time for envelope in run]
        if kind == ConfigurationItemsUnrelated.type_name:
            # A relation's events alternate, so an end's interval began with the version before.
            await connection.execute(_END, ids, times, [envelope.aggregateversion - 1 for envelope in run])
        else:
            ends = [[envelope.data[name] for envelope in run] for name in ("source", "target", "relation", "impact")]
            await connection.execute(_BEGIN, ids, *ends, times, [envelope.aggregateversion for envelope in run])


RELATIONS: Final = Projection(
    name="relations",
    version=1,
    reads=frozenset({ConfigurationItemsRelated.type_name, ConfigurationItemsUnrelated.type_name}),
    tables=(Table("relation", ("id", "valid_from", "version")),),
    apply=apply,
)
