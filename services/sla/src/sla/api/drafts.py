"""What a request says of an agreement, and what it must fit: whoever defines one and whoever previews one is told the
same.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from opsledger_events import names
from opsledger_events.contexts.sla import AgreementKind, ReopenPolicy, RetargetPolicy
from opsledger_runtime.auth import Caller
from opsledger_runtime.errors import FieldError, Forbidden, Invalid, NotFound, RuleViolated
from sla.api.definitions import Body, Name, Whole
from sla.domain.calendar import Calendar
from sla.domain.commands import DefineAgreement
from sla.domain.selection import same_selectors
from sla.projections.definitions import latest_calendar, present_agreements

_LONGEST = 10 * 366 * 86400
Seconds = Annotated[int, Field(strict=True, le=_LONGEST)]


class By(Body):
    """A working day, counted after the day it counts from, at HH:MM local, or when that day closes."""

    working_days: Whole
    at: Annotated[str, Field(max_length=20)] | None = None


class Target(Body):
    """What is promised for a priority (1 is the highest): for a metric seconds of working time, or by a working day."""

    priority: Whole
    response_seconds: Seconds | None = None
    response_by: By | None = None
    contact_seconds: Seconds | None = None
    contact_by: By | None = None
    ownership_seconds: Seconds | None = None
    ownership_by: By | None = None
    update_seconds: Seconds | None = None
    update_by: By | None = None
    workaround_seconds: Seconds | None = None
    workaround_by: By | None = None
    resolution_seconds: Seconds | None = None
    resolution_by: By | None = None


class AgreementTerms(Body):
    """An agreement but for its calendar. It is for the incidents that its selectors name; without any, for all.

    `ola` and `uc` are of the team that has the incident: own, or a vendor's, which `uc` has to name.
    """

    name: Name
    kind: AgreementKind = "sla"
    targets: Annotated[list[Target], Field(max_length=20)]
    pausing_reasons: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=50)] = Field(default=[])
    warning_percent: Annotated[list[Whole], Field(max_length=20)] = Field(default=[])
    team: names.OpaqueId | None = None
    organisation: names.OpaqueId | None = None
    service: names.Name | None = None
    category: names.Name | None = None
    criticality: Annotated[str, Field(max_length=40)] | None = None
    priorities: Annotated[list[Whole], Field(max_length=20)] = Field(default=[])
    retarget: RetargetPolicy = "from_opening"
    reopen: ReopenPolicy = "continue"


class AgreementBody(AgreementTerms):
    """An agreement. It is for the incidents that its selectors name; without any, for all."""

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
        RuleViolated: another agreement of the kind has the same selectors.
    """
    command = DefineAgreement(
        **body.model_dump(include=_AS_ASKED),
        calendar_id=calendar_id,
        calendar=calendar,
        targets=tuple(target.model_dump(exclude_none=True) for target in body.targets),
        pausing_reasons=tuple(body.pausing_reasons),
        warning_percent=tuple(body.warning_percent),
        priorities=tuple(body.priorities),
        at=at,
    )
    for other in await present_agreements(connection):
        if other.id != str(agreement) and same_selectors(other.agreement, command):
            raise RuleViolated(
                f"The agreement “{other.agreement.name}” is of the same kind and for the same incidents. Replace that"
                " one, or choose other selectors.",
                rule="selector_taken",
            )
    return command


_AS_ASKED = {"name", "kind", "team", "organisation", "service", "category", "criticality", "retarget", "reopen"}
