"""Which role may ask for what. Figures are for those who answer for them; people at work see incidents elsewhere."""

from typing import Final

_READERS: Final = frozenset({"analyst", "lead", "auditor", "operator"})

PERMISSIONS: Final[dict[str, frozenset[str]]] = {
    "reporting.indicators": _READERS,
    "reporting.freshness": _READERS,
    "reporting.incident": _READERS,
}
