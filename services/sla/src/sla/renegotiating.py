"""An agreement's revision to the clocks that run by it. A clock whose incident the agreement is no longer for gets
the one that is; without any, or without a target, it counts nowhere from then on.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast

import structlog

from opsledger_events.contexts.sla import AgreementApplied, Metric
from opsledger_runtime.errors import Invalid
from sla.applying import Application, Cause
from sla.casebook import Casebook
from sla.domain.decider import CLOCK
from sla.domain.measures import IncidentFact, Measure
from sla.domain.selection import is_for
from sla.domain.state import ClockState
from sla.handlers import change_terms, situation_of
from sla.projections.definitions import Definitions, Terms
from sla.projections.incident_facts import subject_at

_log = structlog.get_logger()

RUNNING: Final = """
select id from clock
 where state in ('running', 'paused') and agreement = $1 and agreement_revision < $2 and id > $3 order by id limit $4
"""


async def terms_for(
    definitions: Definitions,
    state: ClockState,
    facts: Sequence[IncidentFact],
    agreement: str,
    revision: int,
    now: datetime,
) -> Terms | None:
    """What a clock is to be judged by once an agreement's revision is applied; None: nothing is promised any more."""
    subject = subject_at(state.incident, facts, now)
    if subject is None:
        return None
    situation = situation_of(Measure(state.kind, cast(Metric, state.metric)), state.party, subject, facts)
    terms = await definitions.terms(agreement, revision)
    if terms is not None and is_for(terms.agreement, situation):
        return terms
    return await definitions.choose(situation)


async def _renegotiate(book: Casebook, clock: str, cause: Cause) -> None:
    state = (await book.tx.load(CLOCK, clock)).state
    facts = book.facts(state.incident)
    now = max(book.tx.now, state.latest)
    terms = await terms_for(book.definitions, state, facts, cause.of, cause.revision, now)
    try:
        await change_terms(book, clock, terms, facts, cause.event, now, cause.metadata(clock, book, "terms"))
    except Invalid as error:  # a target that its hours never reach for this incident; the others go on
        _log.warning("clock_keeps_its_terms", clock=clock, agreement=cause.of, revision=cause.revision, code=error.code)


AGREEMENTS: Final = Application("agreement_application", AgreementApplied, "agreement", RUNNING, _renegotiate)
