"""Who may do what in this context; `administrator` may do everything without being named."""

from typing import Final

_DESK: Final = frozenset({"agent", "lead"})
_STAFF: Final = frozenset({"agent", "lead", "operator", "analyst", "auditor"})

PERMISSIONS: Final[dict[str, frozenset[str]]] = {
    "incident.open": _DESK | {"requester", "integration"},
    "incident.read": _STAFF | {"requester", "integration"},
    # The history holds internal notes, which are not meant for the requester.
    "incident.history": _STAFF,
    "incident.assign": _DESK,
    "incident.start": _DESK,
    "incident.hold": _DESK,
    "incident.resume": _DESK,
    "incident.prioritise": _DESK,
    "incident.note": _DESK,
    "incident.contact": _DESK,
    "incident.workaround": _DESK,
    "incident.resolve": _DESK,
    "incident.reopen": _DESK,
    "incident.close": _DESK,
    "incident.cancel": _DESK,
    "alert.take_in": frozenset({"intake", "integration"}),
    "alert.rejected": frozenset({"operator"}),
}


def sees_history(roles: frozenset[str]) -> bool:
    """Whether internal notes and reasons are meant for a caller with these roles."""
    return bool(roles & (PERMISSIONS["incident.history"] | {"administrator"}))


def sees_own_only(roles: frozenset[str]) -> bool:
    """Whether a caller with these roles reads and reports only what they are the requester of."""
    return not roles & ((PERMISSIONS["incident.read"] - {"requester"}) | {"administrator"})
