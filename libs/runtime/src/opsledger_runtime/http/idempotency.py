"""The answers of commands that a caller named by Idempotency-Key, kept in the command's own transaction (D6).

Owns `es.command`. A repeat gets the first answer; the key with another request, and a repeat while the first is being
worked on, are refused. Refusals are not kept: what was refused may be tried again.
"""

import asyncio
import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg
import structlog

from opsledger_runtime.clock import machine_time, monotonic
from opsledger_runtime.errors import VersionConflict
from opsledger_runtime.http.exchange import Exchange
from opsledger_runtime.http.problems import Problem
from opsledger_runtime.store import Transaction

if TYPE_CHECKING:
    from opsledger_runtime.running import Running

KEPT: Final = timedelta(hours=96)
"""At least the 72 hours that are promised."""

_SWEEP_SECONDS: Final = 600.0
_SWEEP_ROWS: Final = 5000
_EVENT: Final = "opsledger-event"  # among the stored headers: the last event, for the position of a repeat

_CLAIM: Final = """
select pg_try_advisory_xact_lock($2) as free, c.fingerprint, c.status, c.headers, c.answer
from (select 1) as one left join es.command c on c.id = $1
"""

_KEEP: Final = """
insert into es.command (id, fingerprint, status, headers, answer, recorded_at) values ($1, $2, $3, $4, $5, $6)
"""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it was or will be sent, and the last event of its command."""

    status: int
    headers: dict[str, str]
    body: bytes
    event: UUID | None
    replayed: bool = False


class Kept:
    """The kept answers of one service."""

    def __init__(self, running: "Running") -> None:
        self._running = running
        self._swept = float("-inf")
        self._sweeping: asyncio.Task[None] | None = None

    async def claim(self, transaction: Transaction, command_id: UUID, exchange: Exchange) -> KeptAnswer | None:
        """Hold the command until the transaction ends; or its answer, where it has one.

        One statement: should a twin commit between its snapshot and its lock, `keep` meets the twin's row.

        Raises:
            Problem: a twin is being worked on; the key was used for something else.
        """
        lock = int.from_bytes(command_id.bytes[:8], signed=True)
        row = await transaction.connection.fetchrow(_CLAIM, command_id, lock)
        assert row is not None  # noqa: S101 - the query starts from one row
        if row["status"] is not None:
            return _read(row, exchange)
        if not row["free"]:
            raise Problem("in_flight", headers={"Retry-After": "1"})
        return None

    async def find(self, command_id: UUID, exchange: Exchange) -> KeptAnswer | None:
        """The answer of a command, outside its transaction.

        Raises:
            Problem: the key was used for something else.
        """
        row = await self._running.pool.fetchrow(
            "select fingerprint, status, headers, answer from es.command where id = $1", command_id
        )
        return None if row is None else _read(row, exchange)

    async def keep(self, transaction: Transaction, command_id: UUID, exchange: Exchange, answer: KeptAnswer) -> None:
        """Store the answer with the command, in the statement that writes its events where it has any.

        Raises:
            VersionConflict: a twin's answer is there; running the command again finds it. Or `flush` says so.
        """
        headers = answer.headers if answer.event is None else {**answer.headers, _EVENT: str(answer.event)}
        row = (
            command_id,
            fingerprint(exchange),
            answer.status,
            json.dumps(headers),
            answer.body,
            machine_time(),
        )
        if transaction.pending:
            transaction.keep(*row)
        else:
            try:
                await transaction.connection.execute(_KEEP, *row)
            except asyncpg.UniqueViolationError as error:
                raise VersionConflict from error
        self._sweep_sometimes()

    def _sweep_sometimes(self) -> None:
        if monotonic() - self._swept < _SWEEP_SECONDS:
            return
        self._swept = monotonic()
        self._sweeping = asyncio.create_task(self._sweep())

    async def _sweep(self) -> None:
        try:
            await self.forget_before(machine_time() - KEPT)
        except Exception as error:  # it is housekeeping: the next one will do
            structlog.get_logger().warning("kept_answers_not_swept", error=repr(error))

    async def forget_before(self, instant: Any) -> int:
        """Delete answers recorded before a machine time, in small batches; how many."""
        total = 0
        while True:
            gone: int = await self._running.pool.fetchval(
                "with gone as (delete from es.command where id in"
                " (select id from es.command where recorded_at < $1 order by recorded_at limit $2) returning 1)"
                " select count(*) from gone",
                instant,
                _SWEEP_ROWS,
            )
            total += gone
            if gone < _SWEEP_ROWS:
                return total


def fingerprint(exchange: Exchange) -> bytes:
    """What must be the same for a repeat: method, path with query, and body bytes."""
    found = hashlib.sha256(f"{exchange.method}\n{exchange.path}\n{exchange.query}\n".encode())
    found.update(exchange.body)
    return found.digest()


def _read(row: Any, exchange: Exchange) -> KeptAnswer:
    if bytes(row["fingerprint"]) != fingerprint(exchange):
        raise Problem("idempotency_key_reused")
    headers: dict[str, str] = json.loads(row["headers"])
    event = headers.pop(_EVENT, None)
    return KeptAnswer(
        row["status"], headers, bytes(row["answer"]), None if event is None else UUID(event), replayed=True
    )
