"""Which services there are. A service is imported when it is first asked for, so that one alone loads only itself.

Commands that run none load nothing of them: somebody waits for each.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
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


def service(context: str) -> "Service":
    """The composition of one service.

    Raises:
        KeyError: there is no such context.
    """
    found: Service = import_module(SERVICES[context]).SERVICE
    return found


def services(contexts: Sequence[str] = CONTEXTS) -> "list[Service]":
    """The compositions of several services, in the order given."""
    return [service(context) for context in contexts]
