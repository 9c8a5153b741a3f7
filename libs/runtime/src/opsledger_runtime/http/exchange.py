"""What is known of one request while it is answered; kept in the ASGI scope, so that every layer sees the same."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from opsledger_runtime.auth import Caller
from opsledger_runtime.http.head import Head
from opsledger_runtime.http.tracing import Trace

if TYPE_CHECKING:
    from opsledger_runtime.running import Running

_KEY = "opsledger"


@dataclass(slots=True)
class Exchange:
    """One request and what the layers learnt of it. `headers` are added to whatever answer leaves."""

    method: str
    path: str
    query: str
    language: str
    trace: Trace
    head: Head
    running: "Running | None" = None
    caller: Caller | None = None
    action: str | None = None
    kind: Literal["command", "query"] | None = None
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)
    outcome: str = ""
    code: str = ""

    @property
    def context(self) -> str:
        """The service asked, or an empty text."""
        return self.running.context if self.running is not None else ""


def put(scope: Any, exchange: Exchange) -> None:
    """Remember the exchange in its scope."""
    scope[_KEY] = exchange


def of(scope: Any) -> Exchange:
    """The exchange of a scope."""
    found = scope[_KEY]
    assert isinstance(found, Exchange)  # noqa: S101 - the gate puts it there before anything else runs
    return found
