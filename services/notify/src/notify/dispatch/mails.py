"""From a claimed delivery to the mail: frozen words and values, and the names and address of today."""

from typing import Any, cast
from zoneinfo import ZoneInfo

import pydantic_core

from notify import addresses
from notify.dispatch.claims import Claim
from notify.domain import rendering
from notify.domain.facts import Value
from notify.domain.names import metric_name
from notify.senders.port import Mail, Rejected
from opsledger_runtime.errors import Invalid


async def mail_of(pool: Any, claim: Claim, zone: ZoneInfo) -> Mail | Rejected:
    """The mail to hand over; Rejected where no attempt could ever make one."""
    if claim.subject is None or claim.body is None:
        return Rejected("the wording is gone")
    values = cast(dict[str, Value], pydantic_core.from_json(claim.facts))
    people = {role: str(values.get(role, "")) for role in ("assignee", "requester")}
    async with pool.acquire() as connection:
        address = await addresses.find(connection, claim.contact)
        if address is None:
            return Rejected("the contact has no address any more")
        known = await addresses.names(connection, set(people.values()))
        teams = {role: str(values.get(role, "")) for role in ("team", "party")}
        rows = await connection.fetch("select key, name from team where key = any($1)", list(teams.values()))
    called = {row["key"]: row["name"] for row in rows}
    names = {f"{role}_name": known.get(person, person) for role, person in people.items()}
    names |= {f"{role}_name": called.get(team, team) for role, team in teams.items()}
    names |= {
        "recipient_name": address.name,
        "metric_name": metric_name(str(values.get("metric", "")), claim.language),
    }
    try:
        subject, body = rendering.render(claim.subject, claim.body, rendering.context(values, names, zone))
    except Invalid as error:
        detail = "; ".join([error.message, *(problem.detail for problem in error.errors)])[:500]
        return Rejected("the wording cannot be filled in", detail)
    return Mail(
        delivery=claim.id,
        message_id=claim.message_id,
        recipient_name=address.name,
        recipient_email=address.email,
        subject=subject,
        body=body,
        language=claim.language,
        cause=claim.cause,
        date=claim.requested_at,
    )
