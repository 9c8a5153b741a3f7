"""HTTP to the choice of an agreement: which one is for an incident of such a kind, and why not the others."""

from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from opsledger_events import names
from opsledger_events.contexts.cmdb import Criticality
from opsledger_events.contexts.sla import AgreementKind, Metric
from opsledger_runtime.errors import FieldError, Forbidden, Invalid
from opsledger_runtime.http import Look
from sla.api.preview_views import SentenceView
from sla.choice_words import sentence, without_target
from sla.domain.agreements import METRICS, metrics_in
from sla.domain.selection import Judgement, Selector, Situation, Verdict, explain, stated
from sla.projections.definitions import present_agreements

if TYPE_CHECKING:
    from opsledger_runtime.running import Running

MOST_OTHERS: Final = 200
"""Agreements shown that are not for the incident; all that are for it are shown."""


class Asked(BaseModel):
    """What the incident is. What is left out it has not; what is not known here is refused."""

    model_config = ConfigDict(extra="forbid")

    kind: AgreementKind = "sla"
    organisation: names.OpaqueId | None = None
    service: names.Name | None = None
    category: names.Name | None = None
    criticality: Annotated[Criticality | None, Field(description="Of its configuration item.")] = None
    priority: Annotated[int, Field(ge=1, le=5)]
    team: Annotated[names.OpaqueId | None, Field(description="That has it; needed for ola and uc.")] = None


class CandidateView(BaseModel):
    """An agreement of the kind. `by`: the selectors that decided; `than`: the one that was chosen before it."""

    agreement: str
    name: str
    revision: int
    states: dict[Selector, Any]
    verdict: Judgement
    by: list[Selector]
    than: str | None
    sentence: SentenceView


class ChoiceView(BaseModel):
    """`agreement`: null where none is for it. `metrics`: what it promises for the priority; none: no clock runs.

    `candidates` are all that are for it and some of the others, the most specific first; `left_out` counts the rest.
    """

    agreement: dict[str, Any] | None
    chosen_by: list[Selector]
    metrics: list[Metric]
    candidates: list[CandidateView]
    left_out: int


def add_choice_routes(router: APIRouter, running: "Running") -> None:
    """The endpoint; to be added before the one of an agreement by its id."""
    doors = running.doors

    @router.get("/agreements/choice", response_model=ChoiceView)
    async def get_choice(
        look: Annotated[Look, doors.query("agreement.read")], asked: Annotated[Asked, Query()]
    ) -> Response:
        """Which agreement is for such an incident now, and for each other one of the kind why it is not."""
        organisations = look.caller.organisations
        if organisations is not None and asked.organisation is not None and asked.organisation not in organisations:
            raise Forbidden("Your token is limited to some organisations. Ask for incidents of one of them.")
        if asked.kind != "sla" and asked.team is None:
            raise Invalid(
                f"{asked.kind}: an agreement of the team that has the incident. Name it in team.",
                [FieldError("/team", "Name the team that has the incident.")],
                code="team_required",
            )
        situation = Situation(**asked.model_dump())
        verdicts = explain(await present_agreements(look.pool, look.organisations()), situation)
        return look.answer(_choice(verdicts, situation).model_dump(mode="json", by_alias=True))


def _choice(verdicts: list[Verdict], situation: Situation) -> ChoiceView:
    chosen = next((one.candidate for one in verdicts if one.judgement == "chosen"), None)
    others = [one for one in verdicts if one.judgement == "names_another"][MOST_OTHERS:]
    left_out = {one.candidate.id for one in others}
    targets = [] if chosen is None else chosen.agreement.targets
    promised = {
        metric for target in targets if target["priority"] == situation.priority for metric in metrics_in(target)
    }
    return ChoiceView(
        agreement=None if chosen is None else {"id": chosen.id, **chosen.agreement.model_dump(mode="json")},
        chosen_by=[] if chosen is None else list(stated(chosen.agreement)),
        metrics=[metric for metric in METRICS if metric in promised],
        candidates=[
            _candidate(one, situation, promised=bool(promised)) for one in verdicts if one.candidate.id not in left_out
        ],
        left_out=len(left_out),
    )


def _candidate(verdict: Verdict, situation: Situation, *, promised: bool) -> CandidateView:
    id_, agreement = verdict.candidate
    words, judgement, chosen = sentence(verdict, situation), verdict.judgement, verdict.chosen
    if judgement == "chosen" and not promised:
        more = without_target(situation.priority)
        words = words._replace(zh=words.zh + more.zh, en=f"{words.en} {more.en}")
    return CandidateView(
        agreement=id_,
        name=agreement.name,
        revision=agreement.revision,
        states={name: getattr(agreement, name) for name in stated(agreement)},
        verdict=judgement,
        by=list(verdict.selectors),
        than=chosen.id
        if chosen is not None and judgement in ("less_specific", "more_priorities", "higher_id")
        else None,
        sentence=SentenceView(zh=words.zh, en=words.en),
    )
