"""The event store: one transaction holds a command's events, its inline read models and its outbox rows (D1).

Owns `es.event` and `es.outbox`. Refuses a stale version, a falling `time`, and a second effect of one command id.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import asyncpg

from opsledger_events import Envelope, Event, decode
from opsledger_runtime import ids, ledger
from opsledger_runtime.clock import Clock
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import Invalid, VersionConflict
from opsledger_runtime.projections import Projection

C = TypeVar("C")
S = TypeVar("S")
T = TypeVar("T")

RETRIES: Final = 8
"""How often a pure decision is taken again after somebody else's append came first."""

_APPEND: Final = """
with taken as materialized (select id, aggregate from es.event where id = any($1::uuid[])),
added as (
  insert into es.event (id, aggregate, version, type, time, recordedtime, command, body, salt, digest)
  select id, aggregate, version, type, time, $6, command, body, salt, digest
  from unnest($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::timestamptz[], $7::uuid[], $8::bytea[],
    $9::bytea[], $10::bytea[]) as new (id, aggregate, version, type, time, command, body, salt, digest)
  where not exists (select from taken)
  order by aggregate, version
),
sent as (
  insert into es.outbox (event)
  select id from unnest($1::uuid[]) with ordinality as new (id, ordinal) where not exists (select from taken)
  order by ordinal
){kept}
select id, aggregate from taken limit 1
"""
_KEPT: Final = """,
kept as (
  insert into es.command (id, fingerprint, status, headers, answer, recorded_at)
  select * from unnest($11::uuid[], $12::bytea[], $13::integer[], $14::jsonb[], $15::bytea[], $16::timestamptz[])
  where not exists (select from taken)
)"""
_APPEND_ALONE: Final = _APPEND.format(kept="")
_APPEND_AND_KEEP: Final = _APPEND.format(kept=_KEPT)
# Rows go in by aggregate and version, so that writers who touch the same aggregates queue instead of blocking
# each other for good; the outbox keeps the order in which they were appended.


class NotCommitted(RuntimeError):
    """The database answered a commit with a rollback: an error inside the transaction was swallowed."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Who asked, why, and on whose behalf. `command_id` decides the event ids."""

    command_id: UUID
    actor: str
    organisation: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    import_id: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Loaded(Generic[S]):
    """An aggregate as its events left it; version 0 and no time where there are none."""

    state: S
    version: int = 0
    time: datetime | None = None
    organisation: str | None = None
    commands: frozenset[UUID] = frozenset()

    def after(self, decider: Decider[C, S], envelopes: Sequence[Envelope], commands: Iterable[UUID]) -> "Loaded[S]":
        """The aggregate after these further events, which `commands` led to."""
        if not envelopes:
            return self
        state = self.state
        for envelope in envelopes:
            state = decider.evolve(state, decode(envelope))
        last = envelopes[-1]
        return Loaded(state, self.version + len(envelopes), last.time, last.organisation, self.commands.union(commands))


class Transaction:
    """One unit of work. `now` is domain time, read after the database knew of the transaction.

    That order is what lets the relay promise "no event recorded before T is still on its way" (see `relay`).

    An aggregate is read once and then known here with what was appended to it. Appended events are written by
    `flush`, all in one statement, before the transaction commits; whoever reads an inline read model in the same
    transaction flushes first. `again` says that an attempt before this one met a conflict.
    """

    def __init__(self, store: "EventStore", connection: Any, now: datetime, *, again: bool = False) -> None:
        self.store = store
        self.connection: asyncpg.Connection[asyncpg.Record] = connection
        self.now = now
        self.again = again
        self.appended: list[Envelope] = []
        self._known: dict[str, Loaded[Any]] = {}
        self._ordinals: Counter[UUID] = Counter()
        self._waiting: list[tuple[Envelope, UUID, ledger.Sealed]] = []
        self._kept: list[tuple[Any, ...]] = []

    async def load(self, decider: Decider[C, S], aggregate: str) -> Loaded[S]:
        """The aggregate's events folded, those included that this transaction has appended."""
        if aggregate not in self._known:
            await self.load_many(decider, [aggregate])
        return self._known[aggregate]

    async def load_many(self, decider: Decider[C, S], aggregates: Iterable[str]) -> dict[str, Loaded[S]]:
        """Several aggregates of one kind, read with one statement where they are not known yet."""
        wanted = list(dict.fromkeys(aggregates))
        unknown = [aggregate for aggregate in wanted if aggregate not in self._known]
        if unknown:
            rows = await self.connection.fetch(
                "select aggregate, body, command from es.event where aggregate = any($1::text[])"
                " order by aggregate, version",
                unknown,
            )
            for aggregate in unknown:
                self._known[aggregate] = Loaded(decider.initial_state)
            for aggregate, found in groupby(rows, itemgetter("aggregate")):
                events = list(found)
                self._known[aggregate] = self._known[aggregate].after(
                    decider,
                    [Envelope.from_json(row["body"]) for row in events],
                    [row["command"] for row in events],
                )
        return {aggregate: self._known[aggregate] for aggregate in wanted}

    async def execute(
        self,
        decider: Decider[C, S],
        aggregate: str,
        command: C,
        metadata: Metadata,
        *,
        expected_version: int | None = None,
        time: datetime | None = None,
        loaded: Loaded[S] | None = None,
    ) -> list[Envelope]:
        """Load, decide, append; a command id that has had its effect has no second one.

        `time` is when it happened, if not now. `loaded` is the state that was judged already; where something was
        appended since, that is a conflict.

        Raises:
            VersionConflict: the aggregate is not at `expected_version`.
            DomainError: whatever `decide` refuses with.
        """
        if loaded is None:
            loaded = await self.load(decider, aggregate)
        if metadata.command_id in loaded.commands and metadata.command_id not in self._ordinals:
            return []
        if expected_version is not None and expected_version != loaded.version:
            raise VersionConflict
        events = decider.decide(command, loaded.state)
        return self.append(decider, aggregate, loaded, events, metadata, time=time)

    def append(
        self,
        decider: Decider[C, S],
        aggregate: str,
        loaded: Loaded[S],
        events: Sequence[Event],
        metadata: Metadata,
        *,
        time: datetime | None = None,
    ) -> list[Envelope]:
        """Append after `loaded`; `flush` writes it.

        Raises:
            VersionConflict: this transaction has appended to the aggregate since.
            Invalid: `time` is before what is recorded (`time_falls`), or the text cannot be stored.
        """
        if not events:
            return []
        if self._known.get(aggregate, loaded).version != loaded.version:
            raise VersionConflict
        happened = time if time is not None else self.now
        corrects = all(event.corrects for event in events)
        if loaded.time is not None and happened < loaded.time and not corrects:
            if time is not None:
                raise Invalid("It cannot have happened before what is already recorded.", code="time_falls")
            happened = loaded.time  # two machines' clocks differ a little; the later fact is not the earlier one
        offset = self._ordinals[metadata.command_id]
        self._ordinals[metadata.command_id] += len(events)
        envelopes = [
            self._envelope(aggregate, loaded, index, offset, event, metadata, happened)
            for index, event in enumerate(events)
        ]
        sealed = [ledger.seal(envelope, ids.salt()) for envelope in envelopes]
        self._waiting.extend((e, metadata.command_id, s) for e, s in zip(envelopes, sealed, strict=True))
        self._known[aggregate] = loaded.after(decider, envelopes, (metadata.command_id,))
        self.appended.extend(envelopes)
        return envelopes

    def keep(
        self, command_id: UUID, fingerprint: bytes, status: int, headers: str, answer: bytes, recorded_at: datetime
    ) -> None:
        """Store the answer of a command with the events; for a transaction that has appended some."""
        self._kept.append((command_id, fingerprint, status, headers, answer, recorded_at))

    @property
    def pending(self) -> bool:
        """Whether there are events that `flush` has not written yet."""
        return bool(self._waiting)

    async def flush(self) -> None:
        """Write what was appended: one statement for the events, then each inline projection once.

        Raises:
            VersionConflict: somebody appended to one of the aggregates meanwhile.
            Invalid: a command id has had its effect on another aggregate (`idempotency_key_reused`).
        """
        if not self._waiting:
            return
        waiting = self._waiting  # until all is well, so that whoever goes on after a refusal meets it again at the end
        envelopes = [envelope for envelope, _, _ in waiting]
        try:
            taken = await self.connection.fetchrow(
                _APPEND_AND_KEEP if self._kept else _APPEND_ALONE,
                [envelope.id for envelope in envelopes],
                [envelope.subject for envelope in envelopes],
                [envelope.aggregateversion for envelope in envelopes],
                [envelope.type_name for envelope in envelopes],
                [envelope.time for envelope in envelopes],
                self.now,
                [command for _, command, _ in waiting],
                [sealed.body for _, _, sealed in waiting],
                [sealed.salt for _, _, sealed in waiting],
                [sealed.digest for _, _, sealed in waiting],
                *zip(*self._kept, strict=True),
            )
        except asyncpg.UniqueViolationError as error:
            # Either a version that somebody took meanwhile or a command whose effect somebody recorded meanwhile:
            # taking the decision again on fresh state answers both.
            raise VersionConflict from error
        if taken is not None:
            if (taken["id"], taken["aggregate"]) in {(e.id, e.subject) for e in envelopes}:
                raise VersionConflict  # recorded between loading and appending
            raise Invalid("This key was used for another command.", code="idempotency_key_reused")
        for projection in self.store.inline:
            wanted = [envelope for envelope in envelopes if envelope.type_name in projection.reads]
            if wanted:
                await projection.apply(self.connection, wanted)
        self._waiting, self._kept = [], []

    def _envelope(
        self,
        aggregate: str,
        loaded: Loaded[Any],
        index: int,
        offset: int,
        event: Event,
        metadata: Metadata,
        happened: datetime,
    ) -> Envelope:
        data = event.model_dump(mode="json", exclude_none=True)
        owner = data[event.partition_by] if event.partition_by else aggregate
        return Envelope(
            id=ids.event_id(metadata.command_id, offset + index),
            type=f"opsledger.{event.type_name}",
            source=self.store.source,
            subject=aggregate,
            time=happened,
            recordedtime=self.now,
            aggregateversion=loaded.version + index + 1,
            partitionkey=owner,
            organisation=metadata.organisation if metadata.organisation is not None else loaded.organisation,
            correlationid=metadata.correlation_id or str(metadata.command_id),
            causationid=metadata.causation_id or str(metadata.command_id),
            actor=metadata.actor,
            importid=metadata.import_id,
            traceparent=metadata.traceparent,
            data=data,
        )


async def _undo(connection: Any) -> None:
    """Roll back; where that fails, end the session, which does the same, and let the first error stand."""
    try:
        await connection.execute("rollback")
    except Exception:
        with suppress(asyncpg.InterfaceError):  # the pool has taken a closed one back already
            connection.terminate()


class EventStore:
    """Appends and reads the events of one context in its own database."""

    def __init__(
        self,
        context: str,
        installation: str,
        pool: "asyncpg.Pool[asyncpg.Record]",
        clock: Clock,
        inline: Sequence[Projection] = (),
        on_append: Callable[[], None] = lambda: None,
    ) -> None:
        self.context = context
        self.source = f"/opsledger/{installation}/{context}"
        self.pool = pool
        self.clock = clock
        self.inline = tuple(inline)
        self.on_append = on_append

    @asynccontextmanager
    async def transaction(self, *, again: bool = False) -> AsyncIterator[Transaction]:
        """Begin, yield, flush, commit. The transaction id is assigned before the clock is read.

        Raises:
            VersionConflict, Invalid: as `Transaction.flush`.
            NotCommitted: a statement failed, and whoever ran it went on as if not.
        """
        async with self.pool.acquire() as connection:
            await connection.execute("begin; select pg_current_xact_id()")
            try:
                work = Transaction(self, connection, self.clock.now(), again=again)
                yield work
                await work.flush()
            except BaseException:
                await _undo(connection)
                raise
            if (answer := await connection.execute("commit")) != "COMMIT":
                raise NotCommitted(f"the database answered {answer}: an error inside the transaction was swallowed")
        if work.appended:
            self.on_append()

    async def run(self, work: Callable[[Transaction], Awaitable[T]], *, retry: bool = True, again: bool = False) -> T:
        """Run `work` in a transaction; after a version conflict run it again, a bounded number of times.

        `retry=False` where the caller named the version it saw: the conflict is the answer. `again`: it met a conflict
        before.
        """
        attempt = 0
        while True:
            try:
                async with self.transaction(again=again or attempt > 0) as transaction:
                    return await work(transaction)
            except VersionConflict:
                attempt += 1
                if not retry or attempt > RETRIES:
                    raise

    async def history(self, aggregate: str, *, connection: Any = None) -> list[Envelope]:
        """Every event of an aggregate in order of version."""
        source = connection or self.pool
        rows = await source.fetch("select body from es.event where aggregate = $1 order by version", aggregate)
        return [Envelope.from_json(row["body"]) for row in rows]

    async def page(self, aggregate: str, after: int, limit: int) -> list[Envelope]:
        """Up to `limit` events after version `after`, with their publication numbers where they have them."""
        rows = await self.pool.fetch(
            "select e.body, p.no from es.event e left join es.publication p on p.event = e.id"
            " where e.aggregate = $1 and e.version > $2 order by e.version limit $3",
            aggregate,
            after,
            limit,
        )
        found = []
        for row in rows:
            envelope = Envelope.from_json(row["body"])
            found.append(envelope if row["no"] is None else envelope.numbered(row["no"]))
        return found
