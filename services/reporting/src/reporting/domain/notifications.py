"""How notify's events change the rows of deliveries and teams."""

from datetime import datetime
from typing import Final, assert_never, get_args

from opsledger_events.contexts.notify import (
    NotificationDelivered,
    NotificationFailed,
    NotificationRequested,
    TeamFormed,
)
from reporting.domain.days import date_key, whole_seconds
from reporting.domain.rows import NotificationRow, TeamRow

DeliveryFact = NotificationRequested | NotificationDelivered | NotificationFailed
FACTS: Final = get_args(DeliveryFact)


def new_notification(delivery_id: str, event: DeliveryFact) -> NotificationRow:
    """The row of a delivery that was not known."""
    return NotificationRow(
        delivery_id=delivery_id,
        about_id=event.about,
        about_number=event.about_number,
        cause_event_id=event.cause,
        cause_type=event.cause_type,
        rule=event.rule,
        contact_id=event.contact,
        team=event.team or None,
        channel=event.channel,
        language=event.language,
    )


def fold_notification(row: NotificationRow, event: DeliveryFact, time: datetime, organisation: str | None) -> None:
    """Change `row` as an event that happened at `time` says."""
    row.organisation = organisation if organisation is not None else row.organisation
    match event:
        case NotificationRequested():
            row.state, row.template = "requested", event.template
            row.requested_at, row.requested_date_key = time, date_key(time)
        case NotificationDelivered():
            row.state, row.delivered_at, row.attempts = "delivered", time, event.attempts
            row.seconds_to_deliver = whole_seconds(row.requested_at, time)
        case NotificationFailed():
            row.state, row.failed_at, row.attempts = "failed", time, event.attempts
        case _:
            assert_never(event)


def fold_team(row: TeamRow, event: TeamFormed, time: datetime) -> None:
    """Change `row` as a team that was formed or changed at `time` says."""
    row.name, row.member_count = event.name, len(event.members)
    row.formed_at, row.changed_at = row.formed_at or time, time
