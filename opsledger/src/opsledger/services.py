"""Which services there are. A service is imported when it is first asked for, so that one alone loads only itself."""

from collections.abc import Sequence
from importlib import import_module
from typing import Final

from opsledger_runtime.service import Service

SERVICES: Final[dict[str, str]] = {
    "incident": "incident.app",
    "sla": "sla.app",
    "notify": "notify.app",
    "reporting": "reporting.app",
    "cmdb": "cmdb.app",
}
"""By context: the module whose `SERVICE` is its composition."""

CONTEXTS: Final = tuple(SERVICES)


def service(context: str) -> Service:
    """The composition of one service.

    Raises:
        KeyError: there is no such context.
    """
    found = import_module(SERVICES[context]).SERVICE
    assert isinstance(found, Service), f"{SERVICES[context]}.SERVICE is no Service"  # noqa: S101 - a mistake in code
    return found


def services(contexts: Sequence[str] = CONTEXTS) -> list[Service]:
    """The compositions of several services, in the order given."""
    return [service(context) for context in contexts]
