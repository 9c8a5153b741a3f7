"""Who may do what in this context; `administrator` may do everything without being named."""

from typing import Final

_STAFF: Final = frozenset({"agent", "lead", "operator", "analyst", "auditor", "integration"})
_DESK: Final = frozenset({"agent", "lead"})

PERMISSIONS: Final[dict[str, frozenset[str]]] = {
    "clock.read": _STAFF,
    "calendar.read": _STAFF,
    "agreement.read": _STAFF,
    "calendar.define": frozenset({"lead"}),
    "agreement.define": frozenset({"lead"}),
    "agreement.preview": frozenset({"lead", "analyst"}),
    "promise.read": _STAFF,
    "promise.make": _DESK,
    "promise.settle": _DESK,
}
