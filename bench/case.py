"""What a case is: a name, a sentence about its limit, and the work that measures."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.bench import Bench


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `limit` says in one sentence what its limit is and why that is the limit."""

    name: str
    limit: str
    run: "Callable[[Bench], Awaitable[None]]"
