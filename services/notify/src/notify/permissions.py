"""Who may do what in notify. An administrator may do everything.

Contacts, teams, rules and wordings belong to the operating organisation as a whole: a caller who is limited to some
organisations neither sees nor changes them, and sees deliveries of those organisations alone.
"""

from typing import Final

from opsledger_runtime.auth import Caller
from opsledger_runtime.errors import Forbidden, NotFound

_KEEPERS: Final = frozenset({"lead", "operator"})
_READERS: Final = frozenset({"agent", "lead", "operator", "auditor"})

PERMISSIONS: Final[dict[str, frozenset[str]]] = {
    "notify.contact.register": _KEEPERS,
    "notify.contact.read": _READERS,
    "notify.team.form": _KEEPERS,
    "notify.team.read": _READERS | {"analyst"},
    "notify.rule.define": _KEEPERS,
    "notify.rule.read": _READERS,
    "notify.wording.publish": _KEEPERS,
    "notify.wording.read": _READERS,
    "notify.delivery.read": _READERS,
}


def may_change_everything(caller: Caller) -> None:
    """Refuse a caller who is limited to some organisations.

    Raises:
        Forbidden: the definition would hold for organisations that are not the caller's.
    """
    if caller.organisations is not None:
        raise Forbidden("This holds for every organisation, and you act for some only.")


def may_see_everything(caller: Caller) -> None:
    """As `may_change_everything`, for reads.

    Raises:
        NotFound: it is not the caller's to know whether it exists.
    """
    if caller.organisations is not None:
        raise NotFound("There is no such thing.")
