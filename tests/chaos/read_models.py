"""Read models against their events: the rows of a rebuild from zero, a notice for every event with a rule."""

import heapq
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence

from tests.chaos.checker import Connections

from opsledger_events import Envelope
from opsledger_runtime import projections
from opsledger_runtime.projections import Projection
from opsledger_runtime.rebuild import rebuilt_digest
from opsledger_runtime.service import Service
from opsledger_runtime.subscriptions import checkpoint

_BATCH = 500


async def equal_to_rebuilt(
    services: Sequence[Service], connections: Connections, events: Mapping[str, Sequence[Envelope]]
) -> list[str]:
    """Every projection with tables, inline and subscribed, against its events up to its checkpoint."""
    found: list[str] = []
    for service in services:
        own = {service.context: len(events[service.context])}
        for projection in service.inline:
            found += await _compare(service, projection, connections, events, own)
        for subscription in service.subscriptions:
            place = await checkpoint.read(connections[service.context], subscription.name)
            sequences = {c: (place.sequences.get(c, 0) if place else 0) for c in subscription.contexts}
            for projection in subscription.projections:
                found += await _compare(service, projection, connections, events, sequences)
    return found


async def _compare(
    service: Service,
    projection: Projection,
    connections: Connections,
    events: Mapping[str, Sequence[Envelope]],
    upto: Mapping[str, int],
) -> list[str]:
    if not projection.tables:
        return []
    connection = connections[service.context]
    schema = (service.schemas or (service.context,))[0]
    ordered = [events.get(context, ())[:last] for context, last in upto.items()]
    wanted = list(heapq.merge(*ordered, key=lambda envelope: envelope.recordedtime))  # keeps each context's own order
    await connection.execute("set timezone = 'UTC'")
    live = await projections.digest(connection, projection, schema)
    fresh = await rebuilt_digest(connection, projection, schema, _batches(wanted))
    if live == fresh:
        return []
    return [f"{service.context}: {projection.name} differs from a rebuild of its {len(wanted)} events"]


async def _batches(events: Sequence[Envelope]) -> AsyncIterator[Sequence[Envelope]]:
    for start in range(0, len(events), _BATCH):
        yield events[start : start + _BATCH]


async def caught_up(
    services: Sequence[Service], connections: Connections, events: Mapping[str, Sequence[Envelope]]
) -> list[str]:
    """Every checkpoint stands at the last number of every context that it reads."""
    found: list[str] = []
    for service in services:
        for subscription in service.subscriptions:
            place = await checkpoint.read(connections[service.context], subscription.name)
            for context in subscription.contexts:
                at = place.sequences.get(context, 0) if place else 0
                if at != len(events.get(context, ())):
                    found.append(
                        f"{service.context}/{subscription.name}: at {context} {at} of {len(events.get(context, ()))}"
                    )
    return found


async def notices(connections: Connections, events: Mapping[str, Sequence[Envelope]]) -> list[str]:
    """Every event with a rule led to its notices: each recipient once, or once that nobody can be told."""
    rules = await connections["notify"].fetch("select key, event_type from notify.rule where active")
    causes = {str(e.id): e for context in ("incident", "sla") for e in events.get(context, ())}
    reactions: Counter[tuple[str, str, str]] = Counter()
    answered: set[tuple[str, str]] = set()
    for envelope in events["notify"]:
        if envelope.name in ("NotificationRequested", "NotificationUnroutable"):
            rule, cause = envelope.data["rule"], envelope.data["cause"]
            answered.add((rule, cause))
            reactions[rule, cause, envelope.data.get("contact", "")] += 1
    found = [
        f"rule {rule}: {n} notices to {who or 'nobody'} about {cause}"
        for (rule, cause, who), n in reactions.items()
        if n > 1
    ]
    found += [
        f"rule {rule}: a notice about {cause}, which does not exist" for rule, cause in answered if cause not in causes
    ]
    place = await checkpoint.read(connections["notify"], "notices")
    for row in rules:
        for cause, envelope in causes.items():
            read = place is not None and (envelope.sequence or 0) <= place.sequences.get(envelope.context, 0)
            if read and envelope.type_name == row["event_type"] and (row["key"], cause) not in answered:
                found.append(f"rule {row['key']}: no notice about {envelope.name} {cause}")
    return found
