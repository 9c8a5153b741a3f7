"""Who may do what: machines that send alerts send alerts, and requesters see what is theirs."""

import pytest

from incident import permissions
from incident.permissions import PERMISSIONS, sees_history, sees_own_only
from notify.permissions import PERMISSIONS as NOTIFY
from sla.permissions import PERMISSIONS as SLA


def test_an_intake_takes_alerts_in_and_nothing_else() -> None:
    allowed = {action for table in (PERMISSIONS, NOTIFY, SLA) for action, roles in table.items() if "intake" in roles}
    assert allowed == {"alert.take_in"}


def test_an_integration_neither_lists_nor_replaces_those_who_are_told() -> None:
    assert not {action for action, roles in NOTIFY.items() if "integration" in roles}


def test_what_was_kept_aside_is_the_operators() -> None:
    assert PERMISSIONS["alert.rejected"] == {"operator"}


@pytest.mark.parametrize(
    ("roles", "own_only"),
    [
        ({"requester"}, True),
        ({"requester", "offline_access"}, True),
        ({"requester", "agent"}, False),
        ({"requester", "integration"}, False),
        ({"requester", "administrator"}, False),
        ({"auditor"}, False),
    ],
)
def test_who_is_a_requester_and_nothing_more_sees_their_own(roles: set[str], own_only: bool) -> None:
    assert sees_own_only(frozenset(roles)) is own_only


def test_internal_texts_are_for_those_who_read_the_history() -> None:
    assert permissions.sees_history(frozenset({"agent"}))
    assert not sees_history(frozenset({"requester", "integration", "intake"}))
