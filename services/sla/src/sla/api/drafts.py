"""What a request says of an agreement, and what it must fit: whoever defines one and whoever previews one is told the
same.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from opsledger_events import names
from opsledger_runtime.auth import Caller
from opsledger_runtime.errors import FieldError, Forbidden, Invalid, NotFound, RuleViolated
from sla.api.definitions import Body, Name, Whole
from sla.domain.calendar import Calendar
from sla.domain.commands import DefineAgreement
from sla.projections.definitions import latest_calendar

_LONGEST = 10 * 366 * 86400
Seconds = Annotated[int, Field(strict=True, le=_LONGEST)]


class Target(Body):
    """What is promised for a priority (1 is the highest), in seconds of working time."""

    priority: Whole
    response_seconds: Seconds | None = None
    resolution_seconds: Seconds | None = None


class AgreementTerms(Body):
    """An agreement but for its calendar. Without organisation and service it is the one for everybody else."""

    name: Name
    targets: Annotated[list[Target], Field(max_length=20)]
    pausing_reasons: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=50)] = Field(default=[])
    warning_percent: Annotated[list[Whole], Field(max_length=20)] = Field(default=[])
    organisation: names.OpaqueId | None = None
    service: names.Name | None = None


class AgreementBody(AgreementTerms):
    """An agreement. Without organisation and service it is the one for everybody else."""

    calendar: UUID


def check_scope(caller: Caller, organisation: str | None, *, held: bool = False) -> None:
    """Refuse agreements of organisations that the caller is not for; `held`: of one that stands there already.

    Raises:
        Forbidden: it is for everybody, or new and for somebody else.
        NotFound: it stands there and is somebody else's.
    """
    if caller.organisations is None or organisation in caller.organisations:
        return
    if held and organisation is not None:
        raise NotFound("There is no such agreement.")
    raise Forbidden("Your token is limited to some organisations. Name one of them as the agreement's organisation.")


async def named_calendar(connection: Any, calendar: UUID) -> Calendar:
    """The calendar that an agreement names, as it stands.

    Raises:
        Invalid: there is none.
    """
    found = await latest_calendar(connection, str(calendar))
    if found is None:
        problem = FieldError("/calendar", "Define the calendar first.")
        raise Invalid("There is no such calendar. Define it first or name another.", [problem])
    return found[1]


async def agreement_command(
    connection: Any, agreement: UUID | None, body: AgreementTerms, calendar_id: str, calendar: Calendar, at: datetime
) -> DefineAgreement:
    """The command that defines it under an id, or under a new one.

    Raises:
        RuleViolated: another agreement is for the same organisation and service.
    """
    other = await connection.fetchval(
        "select name from agreement where organisation is not distinct from $1 and service is not distinct from $2"
        " and ($3::text is null or id <> $3)",
        body.organisation,
        body.service,
        None if agreement is None else str(agreement),
    )
    if other is not None:
        raise RuleViolated(
            f"The agreement “{other}” is for the same organisation and service. Replace that one or choose others.",
            rule="selector_taken",
        )
    return DefineAgreement(
        name=body.name,
        calendar_id=calendar_id,
        calendar=calendar,
        targets=tuple(target.model_dump(exclude_none=True) for target in body.targets),
        pausing_reasons=tuple(body.pausing_reasons),
        warning_percent=tuple(body.warning_percent),
        at=at,
        organisation=body.organisation,
        service=body.service,
    )
