"""A clock explained: every interval and event in words (JSON), and as a picture (SVG), in Chinese or English."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import Response

from opsledger_events.envelope import InvalidEnvelope, parse_instant
from opsledger_runtime.errors import FieldError, Invalid, NotFound
from opsledger_runtime.http import Look
from sla.explaining.lines import Account, Line, account
from sla.explaining.moves import Move
from sla.explaining.picture import picture
from sla.explaining.story import Story, Told, story_of
from sla.explaining.words import Language, Words, words_of
from sla.projections.definitions import parse_calendar
from sla.projections.incident_facts import facts_of
from sla.views import SELECT

if TYPE_CHECKING:
    from opsledger_runtime.running import Running

_SECOND = timedelta(seconds=1)
_SVG_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'", "Vary": "Accept-Language"}

Lang = Annotated[
    Literal["zh-CN", "en"] | None, Query(description="Language of the sentences; otherwise Accept-Language decides.")
]
AsOf = Annotated[str | None, Query(max_length=64, description="What was true then, RFC 3339; not in the future.")]
KnownAt = Annotated[str | None, Query(max_length=64, description="By what was recorded then, RFC 3339.")]


class TraceEvent(BaseModel):
    """The clock's event behind a line, and the incident's event behind that one (`cause`, absent where not kept)."""

    id: str
    type: str
    happened_at: datetime
    known_at: datetime
    cause: str | None
    cause_type: str | None


class TraceLine(BaseModel):
    """An interval from `start` to `end`, or something that happened at `start`; `text` says it in a sentence.

    `rule` is what the calendar said: `working_hours`, `always_open`, `make_up_day`, `outside_hours`, `weekend`,
    `day_off`, `holiday`, or `summary` of a long stretch. Whole seconds: `counted_seconds` of all lines add up to the
    clock's elapsed ones, `working_seconds` is the working time in the interval, `elapsed_seconds` the sum so far.
    """

    kind: str
    text: str
    start: datetime
    end: datetime | None
    state: str | None
    reason: str | None
    rule: str | None
    counted_seconds: int
    working_seconds: int
    elapsed_seconds: int
    event: TraceEvent | None


class TraceMove(BaseModel):
    """The due instant moved.

    `because` of a `pause`, another `target`, the time `standing` still, a target `restarted`, a revision of the
    `calendar` or `agreement`, or `several` changes.
    """

    because: str
    reason: str | None
    at: datetime
    before: datetime
    after: datetime
    working_seconds: int
    text: str


class TraceClosing(BaseModel):
    """What the clock shows in the end. Seconds of working time; `due_if_resumed_at` where it is paused.

    `due_provisional`: the calendar's days are not confirmed that far, so the due instant may move.
    """

    text: str
    state: str
    target_seconds: int | None
    elapsed_seconds: int
    remaining_seconds: int | None
    overrun_seconds: int
    first_due_at: datetime | None
    due_at: datetime | None
    due_if_resumed_at: datetime | None
    due_provisional: bool
    breached_at: datetime | None
    met: bool | None
    moves: list[TraceMove]


class TraceNamed(BaseModel):
    """The revision of a definition that the clock is computed with."""

    id: str
    revision: int
    name: str


class ClockExplanation(BaseModel):
    """A clock explained line by line; `party` is the team that an ola or uc clock measures.

    Sentences give times in the calendar's `time_zone`.
    """

    id: str
    incident: str
    number: str
    title: str | None
    metric: str
    kind: str
    party: str | None
    language: str
    time_zone: str
    as_of: datetime
    agreement: TraceNamed
    calendar: TraceNamed
    lines: list[TraceLine]
    closing: TraceClosing


def trace_routes(running: "Running") -> APIRouter:
    """The endpoints that explain clocks."""
    router = APIRouter()
    doors = running.doors

    @router.get("/clocks/{clock}/trace", response_model=ClockExplanation)
    async def explain_clock(
        clock: UUID,
        look: Annotated[Look, doors.query("clock.read")],
        lang: Lang = None,
        as_of: AsOf = None,
        known_at: KnownAt = None,
    ) -> Response:
        """Why a clock shows what it shows: each interval with its reason, rule and event, in sentences."""
        row, story, told = await _account(look, clock, as_of, known_at)
        language = _language(look, lang)
        causes = {
            fact.event: f"Incident{fact.kind}"
            for fact in (await facts_of(look.pool, [row["incident"]]))[row["incident"]]
        }
        found = await _named(look, story)
        look.exchange.headers += [("Content-Language", language), ("Vary", "Accept-Language")]
        words = words_of(told, language)
        body = ClockExplanation(
            id=row["id"],
            incident=row["incident"],
            number=row["number"],
            title=row["title"],
            metric=row["metric"],
            kind=row["kind"],
            party=row["party"],
            language=language,
            time_zone=told.calendar.time_zone,
            as_of=told.as_of,
            agreement=TraceNamed(
                id=story.state.agreement, revision=story.state.agreement_revision, name=found["agreement"]
            ),
            calendar=TraceNamed(
                id=story.state.calendar, revision=story.state.calendar_revision, name=found["calendar"]
            ),
            lines=[_line(line, words, causes) for line in _whole(told.lines)],
            closing=_closing(told, words),
        )
        return look.answer(body.model_dump(mode="json"))

    @router.get(
        "/clocks/{clock}/trace.svg", response_class=Response, responses={200: {"content": {"image/svg+xml": {}}}}
    )
    async def draw_clock(
        clock: UUID,
        look: Annotated[Look, doors.query("clock.read")],
        lang: Lang = None,
        as_of: AsOf = None,
        known_at: KnownAt = None,
    ) -> Response:
        """The same as a time line, 900 pixels wide: working hours, pauses, targets, warnings, breach."""
        row, _, told = await _account(look, clock, as_of, known_at)
        language = _language(look, lang)
        whose = None if row["kind"] == "sla" else f"{row['kind'].upper()} {row['party']}"
        drawn = picture(told, language, row["number"], row["metric"], whose)
        return Response(drawn, media_type="image/svg+xml", headers={**_SVG_HEADERS, "Content-Language": language})

    return router


async def _account(look: Look, clock: UUID, as_of: str | None, known_at: str | None) -> tuple[Any, Story, Account]:
    row = await look.pool.fetchrow(
        f"{SELECT} where clock.id = $1 and ($2::text[] is null or organisation = any($2))",
        str(clock),
        look.organisations(),
    )
    if row is None:
        raise NotFound("There is no such clock.")
    known, wanted = _instant(known_at, "known_at"), _instant(as_of, "as_of")
    history = await look.running.store.history(row["id"])
    story = story_of(envelope for envelope in history if known is None or envelope.recordedtime <= known)
    # Two machines' clocks differ a little: an event from just ahead of this one's has happened all the same.
    latest = max(look.now if known is None else min(known, look.now), story.state.latest)
    if wanted is not None and wanted > latest:
        raise Invalid(
            "as_of lies after everything that is known. Leave it out, or give an earlier instant.",
            [FieldError("/as_of", f"Give an instant that is not after {latest.isoformat(timespec='seconds')}.")],
            code="not_yet",
        )
    told = None
    if story.state.started:
        told = account(story, await _calendar(look, story), wanted or latest)
    if told is None:
        raise NotFound("There was no such clock then.")
    return row, story, told


async def _calendar(look: Look, story: Story) -> Any:
    return parse_calendar(
        await look.pool.fetchval(
            "select definition::text from calendar_revision where calendar = $1 and revision = $2",
            story.state.calendar,
            story.state.calendar_revision,
        )
    )


async def _named(look: Look, story: Story) -> Any:
    return await look.pool.fetchrow(
        "select (select definition->>'name' from agreement_revision where agreement = $1 and revision = $2)"
        " as agreement,"
        " (select definition->>'name' from calendar_revision where calendar = $3 and revision = $4) as calendar",
        story.state.agreement,
        story.state.agreement_revision,
        story.state.calendar,
        story.state.calendar_revision,
    )


def _language(look: Look, lang: Language | None) -> Language:
    return lang or ("zh-CN" if look.exchange.language == "zh-CN" else "en")


def _instant(text: str | None, name: str) -> datetime | None:
    if text is None:
        return None
    try:
        # A plus that was not percent-encoded arrives as a blank.
        return parse_instant(text.replace(" ", "+") if "T" in text else text)
    except InvalidEnvelope:
        detail = "Give an RFC 3339 instant with an offset, for example 2026-11-22T08:30:00+08:00."
        raise Invalid(f"{name}: {detail}", [FieldError(f"/{name}", detail)], code="bad_instant") from None


def _whole(lines: tuple[Line, ...]) -> list[tuple[Line, int, int]]:
    """Each line with its whole counted seconds and their sum, so that fractions are not lost one by one."""
    found, before = [], 0
    for line in lines:
        after = line.elapsed // _SECOND
        found.append((line, after - before, after))
        before = after
    return found


def _line(given: tuple[Line, int, int], words: Words, causes: dict[str, str]) -> TraceLine:
    line, counted, total = given
    return TraceLine(
        kind=line.kind,
        text=words.line(line),
        start=line.start,
        end=line.end,
        state=line.state,
        reason=line.reason,
        rule=line.rule,
        counted_seconds=counted,
        working_seconds=line.working // _SECOND,
        elapsed_seconds=total,
        event=None if line.event is None else _event(line.event, causes),
    )


def _event(told: Told, causes: dict[str, str]) -> TraceEvent:
    return TraceEvent(
        id=told.id,
        type=told.type,
        happened_at=told.happened_at,
        known_at=told.known_at,
        cause=told.cause,
        cause_type=causes.get(told.cause or ""),
    )


def _closing(told: Account, words: Words) -> TraceClosing:
    reading = told.reading
    return TraceClosing(
        text=words.closing(told),
        state=reading.state,
        target_seconds=reading.target,
        elapsed_seconds=reading.elapsed // _SECOND,
        remaining_seconds=None if reading.remaining is None else -(-reading.remaining // _SECOND),
        overrun_seconds=told.over // _SECOND,
        first_due_at=told.first_due,
        due_at=reading.due,
        due_if_resumed_at=told.due_if_resumed,
        due_provisional=told.due_provisional,
        breached_at=told.breached_at,
        met=reading.met,
        moves=[_move(move, words) for move in told.moves],
    )


def _move(move: Move, words: Words) -> TraceMove:
    return TraceMove(
        because=move.because,
        reason=move.reason,
        at=move.at,
        before=move.before,
        after=move.after,
        working_seconds=move.working // _SECOND,
        text=words.move(move).strip(),
    )
