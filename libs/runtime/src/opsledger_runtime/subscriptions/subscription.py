"""The static description of a subscription: what a service's composition root lists. Does nothing by itself."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from opsledger_events import Envelope
from opsledger_runtime.projections import Projection
from opsledger_runtime.store import Transaction

BATCH: Final = 500
"""Largest batch of a subscription that does not say otherwise, in events."""

Handler = Callable[[Transaction, Sequence[Envelope]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Subscription:
    """One durable consumer, one handler, one transaction per batch (D7).

    `contexts` are read whole (their sequences must be contiguous, so a gap is seen); events whose type is not in
    `reads` are skipped. `handle` gets the batch's wanted events in order; it may be called again for the same events
    after a failure, each time in a fresh transaction, so it keeps no state of its own. `projections` are the tables
    it fills, for rebuild and digest. `batch` is the largest batch, in events: more where what a statement costs before
    its first row counts, and nobody waits for what a far longer transaction holds.
    """

    name: str
    version: int
    contexts: tuple[str, ...]
    reads: frozenset[str]
    handle: Handler
    projections: tuple[Projection, ...] = ()
    batch: int = BATCH
