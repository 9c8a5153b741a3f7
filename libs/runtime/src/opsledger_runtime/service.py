"""What a service is made of, and how its parts live and die together.

`Service` is the static description that a service's `app.py` composes; `Running` is one instance of it in a process.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from fastapi import APIRouter

from opsledger_runtime.projections import Projection
from opsledger_runtime.subscriptions import Subscription
from opsledger_runtime.timers import TimerQueue

if TYPE_CHECKING:
    from opsledger_runtime.running import Running


class Worker(Protocol):
    """Something that runs for the life of the process. `run` returns only when cancelled; it reconnects by itself."""

    name: str

    async def run(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Service:
    """One bounded context: the composition root's list of everything it does.

    `context` is also the name of its database schema, its Python package and its place in URLs.
    `messages` are the zh-CN sentences for the codes of the domain's refusals, which are worded in English.
    `seed` fills a new installation with marked defaults and is safe to run again.
    """

    context: str
    title: str
    routes: "Callable[[Running], APIRouter]"
    permissions: dict[str, frozenset[str]]
    inline: Sequence[Projection] = ()
    subscriptions: Sequence[Subscription] = ()
    timers: Sequence[TimerQueue] = ()
    workers: "Sequence[Callable[[Running], Worker]]" = ()
    seed: "Callable[[Running], Awaitable[None]] | None" = None
    schemas: tuple[str, ...] = ()
    messages: Mapping[str, str] = field(default_factory=dict)
