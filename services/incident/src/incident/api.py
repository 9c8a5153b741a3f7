"""HTTP to commands and queries of incidents. Holds no rule: the decider refuses, the runtime's doors guard."""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Body, Path, Query
from starlette.responses import Response

from incident import handlers, surroundings, wording
from incident.domain.commands import (
    AssignIncident,
    CancelIncident,
    CloseIncident,
    Command,
    ContactRequester,
    HoldIncident,
    NoteIncident,
    OpenIncident,
    PrioritiseIncident,
    ProvideWorkaround,
    ReopenIncident,
    ResolveIncident,
    ResumeIncident,
    StartIncident,
)
from incident.intake import alertmanager, kept_aside, received
from incident.intake.taking import Intake
from incident.intake.tidying import Tidying
from incident.numbers import Numbers
from incident.permissions import sees_history, sees_own_only
from incident.projections import incident_queue
from incident.projections.incident_row import IncidentRow, from_record, shown
from incident.settings import IncidentSettings
from incident.wire import (
    Assign,
    Because,
    Contact,
    Happened,
    Hold,
    IncidentDetail,
    IncidentView,
    KeptAside,
    Note,
    Open,
    Prioritise,
    QueryInstant,
    RejectedAlert,
    Resolve,
    Start,
    StateName,
    TakenIn,
    Workaround,
)
from opsledger_events import Envelope
from opsledger_events.envelope import format_instant
from opsledger_events.names import Name
from opsledger_runtime.auth import Caller
from opsledger_runtime.errors import Forbidden, Invalid, NotFound
from opsledger_runtime.http import Answer, Ask, Cursor, Doors, Limit, Look, Page, decode_cursor, version_after
from opsledger_runtime.store import Metadata, Transaction

HOME: Final = "/api/incident/v1/incidents"

IncidentId = Annotated[str, Path(max_length=100, description="The incident's id or its number.")]
Filter = Annotated[Name | None, Query()]
_CHANGED: Final[dict[int | str, dict[str, Any]]] = {200: {"model": IncidentView}}
_OPENED: Final[dict[int | str, dict[str, Any]]] = {201: {"model": IncidentView}}
_DETAIL: Final[dict[int | str, dict[str, Any]]] = {200: {"model": IncidentDetail}}
_TAKEN: Final[dict[int | str, dict[str, Any]]] = {202: {"model": TakenIn}}


def router(doors: Doors, settings: IncidentSettings) -> APIRouter:
    """Every endpoint of the context."""
    found = APIRouter()
    _add_opening(found, doors)
    _add_actions(found, doors)
    _add_queries(found, doors)
    _add_intake(found, doors, settings)
    _add_kept_aside(found, doors)
    return found


def _add_opening(router: APIRouter, doors: Doors) -> None:
    numbers = Numbers()

    @router.post("/incidents", status_code=201, responses=_OPENED)
    async def open_incident(body: Open, ask: Annotated[Ask, doors.command("incident.open")]) -> Response:
        """Report an incident."""
        organisation = ask.caller.acting_for(body.organisation)
        requester = own_requester(ask.caller, body.requester)
        facts = body.model_dump(exclude={"occurred_at", "organisation", "requester"})

        async def work(transaction: Transaction) -> Answer:
            row = await handlers.open_incident(
                transaction,
                OpenIncident(number="", organisation=organisation, requester=requester, **facts),
                ask.metadata(organisation),
                body.occurred_at,
                numbers,
            )
            return Answer(shown(row), status=201, version=row.version, location=f"{HOME}/{row.id}")

        return await ask.run(work, shared=True)


def _add_actions(router: APIRouter, doors: Doors) -> None:
    @router.post("/incidents/{incident}/assign", responses=_CHANGED)
    async def assign(
        incident: IncidentId, body: Assign, ask: Annotated[Ask, doors.command("incident.assign")]
    ) -> Response:
        """Make a team, and where known a person, responsible."""
        return await _act(ask, incident, AssignIncident(body.team, body.assignee), body)

    @router.post("/incidents/{incident}/start", responses=_CHANGED)
    async def start(
        incident: IncidentId, ask: Annotated[Ask, doors.command("incident.start")], body: Start | None = None
    ) -> Response:
        """Begin work: the first response."""
        return await _act(ask, incident, StartIncident(body.assignee if body else None), body)

    @router.post("/incidents/{incident}/hold", responses=_CHANGED)
    async def hold(incident: IncidentId, body: Hold, ask: Annotated[Ask, doors.command("incident.hold")]) -> Response:
        """Wait for somebody else; what the requester was promised is shown to the requester (R13)."""
        return await _act(ask, incident, HoldIncident(body.reason, body.note, body.promised_at, body.promised), body)

    @router.post("/incidents/{incident}/resume", responses=_CHANGED)
    async def resume(
        incident: IncidentId, ask: Annotated[Ask, doors.command("incident.resume")], body: Happened | None = None
    ) -> Response:
        """Go on after a hold."""
        return await _act(ask, incident, ResumeIncident(), body)

    @router.post("/incidents/{incident}/prioritise", responses=_CHANGED)
    async def prioritise(
        incident: IncidentId, body: Prioritise, ask: Annotated[Ask, doors.command("incident.prioritise")]
    ) -> Response:
        """Judge impact and urgency anew."""
        return await _act(ask, incident, PrioritiseIncident(body.impact, body.urgency), body)

    @router.post("/incidents/{incident}/note", responses=_CHANGED)
    async def note(incident: IncidentId, body: Note, ask: Annotated[Ask, doors.command("incident.note")]) -> Response:
        """Write a note."""
        return await _act(ask, incident, NoteIncident(body.text, body.public), body)

    @router.post("/incidents/{incident}/contact", responses=_CHANGED)
    async def contact(
        incident: IncidentId, body: Contact, ask: Annotated[Ask, doors.command("incident.contact")]
    ) -> Response:
        """The requester was spoken to, and a visit or a call may have been booked (R2)."""
        return await _act(ask, incident, ContactRequester(body.channel, body.note, body.booked_at), body)

    @router.post("/incidents/{incident}/workaround", responses=_CHANGED)
    async def workaround(
        incident: IncidentId, body: Workaround, ask: Annotated[Ask, doors.command("incident.workaround")]
    ) -> Response:
        """Service can be used in some way before the cause is removed; shown to the requester."""
        return await _act(ask, incident, ProvideWorkaround(body.workaround), body)

    @router.post("/incidents/{incident}/resolve", responses=_CHANGED)
    async def resolve(
        incident: IncidentId, body: Resolve, ask: Annotated[Ask, doors.command("incident.resolve")]
    ) -> Response:
        """Service is restored; the responsibility code is mandatory (R16)."""
        return await _act(ask, incident, ResolveIncident(body.responsibility, body.resolution), body)

    @router.post("/incidents/{incident}/reopen", responses=_CHANGED)
    async def reopen(
        incident: IncidentId, body: Because, ask: Annotated[Ask, doors.command("incident.reopen")]
    ) -> Response:
        """The fault came back, or was never gone."""
        return await _act(ask, incident, ReopenIncident(body.reason), body)

    @router.post("/incidents/{incident}/close", responses=_CHANGED)
    async def close(
        incident: IncidentId, ask: Annotated[Ask, doors.command("incident.close")], body: Happened | None = None
    ) -> Response:
        """Nothing more is to be done; final."""
        return await _act(ask, incident, CloseIncident(), body)

    @router.post("/incidents/{incident}/cancel", responses=_CHANGED)
    async def cancel(
        incident: IncidentId, body: Because, ask: Annotated[Ask, doors.command("incident.cancel")]
    ) -> Response:
        """It was no incident; final."""
        return await _act(ask, incident, CancelIncident(body.reason), body)


async def _act(ask: Ask, incident: str, command: Command, body: Happened | None) -> Response:
    organisations = None if ask.caller.organisations is None else list(ask.caller.organisations)

    async def work(transaction: Transaction) -> Answer:
        row = await handlers.act(
            transaction,
            incident,
            organisations,
            command,
            ask.metadata(),
            expected_version=ask.expected_version,
            occurred_at=body.occurred_at if body else None,
        )
        return Answer(shown(row), version=row.version)

    return await ask.run(work, shared=True)


def _add_queries(router: APIRouter, doors: Doors) -> None:
    @router.get("/incidents")
    async def incidents(
        look: Annotated[Look, doors.query("incident.read")],
        state: Annotated[list[StateName], Query(max_length=20)] = [],  # noqa: B006 - FastAPI copies it
        priority: Annotated[list[Annotated[int, Query(ge=1, le=5)]], Query(max_length=20)] = [],  # noqa: B006
        team: Filter = None,
        assignee: Filter = None,
        organisation: Filter = None,
        service: Filter = None,
        configuration_item: Filter = None,
        number: Filter = None,
        q: Annotated[str | None, Query(max_length=200, description="Part of the title.")] = None,
        grouped: Annotated[
            incident_queue.Grouped, Query(description="Those grouped under another: with them, without, or only them.")
        ] = "all",
        sort: incident_queue.Sort = "-opened",
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[IncidentView]:
        """Incidents, latest first unless sorted by priority (then oldest first within a priority)."""
        filters = incident_queue.Filters(
            look.organisations(),
            _own(look.caller),
            tuple(state),
            tuple(priority),
            team,
            assignee,
            organisation,
            service,
            configuration_item,
            number,
            q,
            grouped,
        )
        seen = None if cursor is None else _seen(cursor, sort)
        internal = sees_history(look.caller.roles)

        def view(record: Any) -> IncidentView:
            return IncidentView.model_validate(shown(from_record(record), internal=internal))

        records = await incident_queue.find(look.pool, filters, sort, limit + 1, seen)
        return look.page(records, limit, lambda record: incident_queue.position(sort, record), view)

    @router.get("/incidents/{incident}", responses=_DETAIL)
    async def incident(
        incident: IncidentId,
        look: Annotated[Look, doors.query("incident.read")],
        as_of: Annotated[QueryInstant | None, Query(description="What was true then.")] = None,
        known_at: Annotated[QueryInstant | None, Query(description="By what was recorded then.")] = None,
    ) -> Response:
        """One incident, now or as it was, with its description and notes."""
        record = await incident_queue.locate(look.pool, incident, look.organisations(), _own(look.caller))
        history = await look.running.store.history(record["id"])
        row, seen = handlers.as_known(record["id"], history, as_of, known_at)
        past = as_of is not None or known_at is not None
        by_alert = not past and row.incident.alert_fingerprint is not None
        times = await received.received_count(look.pool, row.id) if by_alert else None
        internal = sees_history(look.caller.roles)
        around = await surroundings.of_incident(look, row) if internal and not past else {}
        detail = _detail(row, seen, internal, times, around)
        return look.answer(detail, version=None if past else row.version)

    @router.get("/incidents/{incident}/events")
    async def events(
        incident: IncidentId,
        look: Annotated[Look, doors.query("incident.history")],
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[dict[str, Any]]:
        """Its events in order, as the CloudEvents that are on the bus."""
        record = await incident_queue.locate(look.pool, incident, look.organisations(), _own(look.caller))
        found = await look.running.store.page(record["id"], version_after(cursor), limit + 1)
        return look.page(found, limit, lambda envelope: [envelope.aggregateversion], Envelope.attributes)


def _add_intake(router: APIRouter, doors: Doors, settings: IncidentSettings) -> None:
    tidy = Tidying()

    @router.post("/alerts/alertmanager", status_code=202, responses=_TAKEN)
    async def take_in(payload: Annotated[Any, Body()], ask: Annotated[Ask, doors.intake("alert.take_in")]) -> Response:
        """Alertmanager's webhook, version 4; what cannot be read is kept aside and the rest goes in."""
        delivery, traceparent = str(ask.command_id), ask.exchange.trace.traceparent

        def metadata(command_id: UUID, organisation: str | None) -> Metadata:
            actor = ask.caller.subject
            return Metadata(command_id, actor, organisation, delivery, delivery, traceparent=traceparent)

        async def work(transaction: Transaction) -> Answer:
            batch = alertmanager.read(payload, transaction.now)
            received = payload["alerts"]
            taken = await Intake(
                transaction,
                ask.caller.subject,
                ask.caller.organisations,
                metadata,
                settings,
                lambda index: alertmanager.as_bytes(received[index]),
                tidy,
            ).take(batch)
            answer = TakenIn(
                received=len(received),
                opened=taken.opened,
                repeated=taken.repeated,
                changed=taken.changed,
                rejected=len(taken.rejected),
                rejections=[RejectedAlert(index=found.index, reason=found.reason) for found in taken.rejected[:50]],
            )
            return Answer(answer, status=202)

        return await ask.run(work)


def _add_kept_aside(router: APIRouter, doors: Doors) -> None:
    @router.get("/alerts/rejected")
    async def rejected(
        look: Annotated[Look, doors.query("alert.rejected")], limit: Limit = 50, cursor: Cursor = None
    ) -> Page[KeptAside]:
        """Alerts that could not be taken in, latest first, as they came; kept for 90 days."""
        if look.caller.organisations is not None:
            raise NotFound("There is no such thing.")  # whose they are could not be read
        before = None if cursor is None else decode_cursor(cursor, int)[0]
        rows = await kept_aside.page(look.pool, before, limit + 1)
        return look.page(rows, limit, lambda row: [row["id"]], _kept_aside)


def _kept_aside(row: Any) -> KeptAside:
    told = {"received_at": format_instant(row["received"]), "body": row["body"].decode("ascii")}
    return KeptAside.model_validate({**{name: row[name] for name in ("id", "source", "reason", "size")}, **told})


def own_requester(caller: Caller, named: str | None) -> str | None:
    """For whom a caller reports: a requester for themselves, since they could not see another's.

    Raises:
        Forbidden: a requester names somebody else.
    """
    own = _own(caller)
    if own is not None and named not in (None, own):
        raise Forbidden("You report for yourself. Leave `requester` out.", code="requester_forbidden")
    return own or named


def _seen(cursor: str, sort: incident_queue.Sort) -> list[Any]:
    told, *values = decode_cursor(cursor, *incident_queue.kinds(sort))
    if told != sort:
        raise Invalid("The cursor belongs to another order. Begin again without it.", code="bad_cursor")
    return values


def _own(caller: Caller) -> str | None:
    return caller.subject if sees_own_only(caller.roles) else None


def _detail(
    row: IncidentRow,
    seen: list[Envelope],
    internal: bool,
    received_count: int | None,
    around: Mapping[str, Any],
) -> IncidentDetail:
    others = {"alert_received_count": received_count, "affected": None, "children": None}
    told = {**shown(row, internal=internal), **wording.of_incident(seen, internal=internal)}
    return IncidentDetail.model_validate({**told, **others, **around})
