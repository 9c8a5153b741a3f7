"""Who may do what in this context; `administrator` may do everything without being named."""

from typing import Final

_WRITERS: Final = frozenset({"lead", "operator", "integration"})
_STAFF: Final = frozenset({"agent", "lead", "operator", "analyst", "auditor", "integration"})

PERMISSIONS: Final[dict[str, frozenset[str]]] = {
    "item.read": _STAFF,
    "item.write": _WRITERS,
    "item.import": _WRITERS,
    "relation.write": _WRITERS,
    "class.read": _STAFF,
    "class.define": frozenset({"lead", "operator"}),
}
