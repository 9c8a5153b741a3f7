"""Whether everything that was acknowledged is everywhere it belongs: pure comparisons, and the reading for them.

Believes no service's own report: reads the stores and the stream.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from bench.platform import Platform
from opsledger_events.subjects import ALL_EVENTS, STREAM, context_subjects

CLOCKS: Final = 2
"""Each incident gets a clock for the first response and one for the resolution."""

_SHOWN: Final = 3


def losses(
    accepted: Collection[str],
    *,
    stored: Collection[str],
    announced: Mapping[str, Sequence[tuple[int, str]]],
    reported: Collection[str] | None = None,
    clocks: Mapping[str, int] | None = None,
    before: Mapping[str, int] | None = None,
) -> list[str]:
    """Sentences about what is missing; empty when nothing is.

    `accepted`: ids that callers were told. `stored`: ids in the store. `announced`: on the stream, by context, number
    and subject in the stream's order; `before`: the last number before those, 0 if left out. `reported` and `clocks`
    (how many, by id): of the services that follow; None where those do not run.
    """
    found = [*_twice(accepted), *_missing("the store", accepted, stored)]
    for context, messages in announced.items():
        numbers = [number for number, _ in messages]
        for place, number in enumerate(numbers, (before or {}).get(context, 0) + 1):
            if number != place:
                found.append(f"the stream has {context}'s number {number} where {place} belongs")
                break
    known = {subject for messages in announced.values() for _, subject in messages}
    found += _missing("the stream", accepted, known)
    if reported is not None:
        found += _missing("the mart", accepted, reported)
    if clocks is not None:
        wrong = [incident for incident in accepted if clocks.get(incident, 0) != CLOCKS]
        if wrong:
            counts = sorted({clocks.get(incident, 0) for incident in wrong})
            found.append(f"{len(wrong)} incidents have {counts} clocks, not {CLOCKS}: {_some(wrong)}")
    return found


def _twice(accepted: Collection[str]) -> list[str]:
    more = len(accepted) - len(set(accepted))
    return [f"{more} ids were told twice"] if more else []


def _missing(place: str, wanted: Iterable[str], there: Collection[str]) -> list[str]:
    present = set(there)
    lost = [one for one in wanted if one not in present]
    return [f"{len(lost)} acknowledged incidents are not in {place}: {_some(lost)}"] if lost else []


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:_SHOWN]) + (" …" if len(ids) > _SHOWN else "")


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the stream is before a load: its last message, and the last number of each context."""

    stream_sequence: int = 0
    numbers: Mapping[str, int] = field(default_factory=dict)


async def mark(platform: Platform, contexts: Collection[str]) -> Mark:
    """Where the stream is now, when nothing is on its way."""
    numbers = {}
    async with platform.admin_nats() as client:
        js = client.jetstream()
        last = (await js.stream_info(STREAM)).state.last_seq
        for context in contexts:
            with suppress(NotFoundError):  # it has announced nothing yet
                message = await js.get_last_msg(STREAM, context_subjects(context))
                numbers[context] = int(json.loads(message.data or b"")["sequence"])
    return Mark(last, numbers)


async def after(
    platform: Platform, accepted: Collection[str], contexts: Collection[str], since: Mark | None = None
) -> list[str]:
    """Read everything and compare; `contexts`: the services that ran; `since`: a mark before the first was accepted."""
    since = since or Mark()
    wanted = list(accepted)
    async with platform.database("incident") as connection:
        rows = await connection.fetch("select aggregate from es.event where aggregate = any($1)", wanted)
        stored = {row["aggregate"] for row in rows}
    reported = clocks = None
    if "reporting" in contexts:
        async with platform.database("reporting") as connection:
            rows = await connection.fetch(
                "select incident_id from mart.fact_incident where incident_id = any($1)", wanted
            )
            reported = {row["incident_id"] for row in rows}
    if "sla" in contexts:
        async with platform.database("sla") as connection:
            rows = await connection.fetch(
                "select incident, count(*) as n from clock where incident = any($1) group by incident", wanted
            )
            clocks = {row["incident"]: row["n"] for row in rows}
    return losses(
        accepted,
        stored=stored,
        announced=await stream(platform, since.stream_sequence),
        reported=reported,
        clocks=clocks,
        before=since.numbers,
    )


async def stream(platform: Platform, since: int = 0) -> dict[str, list[tuple[int, str]]]:
    """The stream's messages after `since`: number and subject (the aggregate) by context, in the stream's order."""
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    async with platform.admin_nats() as client:
        js = client.jetstream()
        total = (await js.stream_info(STREAM)).state.last_seq - since
        if total <= 0:
            return found
        reader = await js.subscribe(
            ALL_EVENTS,
            stream=STREAM,
            ordered_consumer=True,
            pending_msgs_limit=total + 1,
            config=ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=since + 1),
        )
        for _ in range(total):
            message = await reader.next_msg(timeout=10)
            event = json.loads(message.data)
            found[event["source"].rsplit("/", 1)[1]].append((int(event["sequence"]), event["subject"]))
        await reader.unsubscribe()
    return found
