"""Subscription `notices`: from other contexts' events to own deliveries.

One delivery per rule, causing event, contact and channel; its id and its command's id derive from these, so whatever is
read twice is requested once. An imported event belongs to the past and notifies nobody.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal, cast

from notify import addresses
from notify.domain import delivery, facts, rendering, routing
from notify.domain.facts import NOTIFIABLE, Notice
from notify.domain.routing import ActiveRule
from notify.projections import directory, incident_subject, rulebook
from opsledger_events import Envelope, decode
from opsledger_events.contexts.sla import ClockEvent
from opsledger_runtime import ids
from opsledger_runtime.store import Metadata, Transaction
from opsledger_runtime.subscriptions import Subscription

NAME: Final = "notices"
CHANNEL: Final[delivery.Channel] = "email"
_ACTOR: Final = "service:notify"


async def handle(transaction: Transaction, envelopes: Sequence[Envelope]) -> None:
    """Keep `incident_subject`, and request what the rules say about each event as it stood then."""
    rules = await rulebook.active_rules(transaction.connection)
    for envelope in envelopes:
        if envelope.type_name in incident_subject.INCIDENT_SUBJECT.reads:
            await incident_subject.apply(transaction.connection, [envelope])
        matching = routing.matching(rules, envelope.type_name)
        if not matching or envelope.importid is not None:
            continue
        notice = await _notice(transaction, envelope)
        for rule in matching:
            await _apply(transaction, envelope, rule, notice)


async def _notice(transaction: Transaction, envelope: Envelope) -> Notice:
    event = decode(envelope)
    if isinstance(event, ClockEvent):
        subject = facts.subject_of_clock(event)
    else:
        subject = await incident_subject.find(transaction.connection, envelope.subject)
    return facts.notice(event, subject, str(envelope.id), envelope.time)


async def _apply(transaction: Transaction, envelope: Envelope, rule: ActiveRule, notice: Notice) -> None:
    connection = transaction.connection
    teams = await directory.members(connection, routing.teams_wanted(rule, notice))
    languages = await addresses.reachable(connection, routing.contacts_wanted(rule, notice, teams))
    resolution = routing.resolve(rule, notice, teams, frozenset(languages))
    if not resolution.recipients and not resolution.missing:
        return  # it is kept from whom the rule names
    if not resolution.recipients:
        await _unroutable(transaction, envelope, rule, notice, "; ".join(resolution.missing))
        return
    words = await rulebook.latest(connection, rule.template)
    versions = {language: found.version for language, found in words.items()}
    for recipient in resolution.recipients:
        wording = routing.choose_wording(versions, rule.language or languages[recipient.contact])
        if wording is None:
            await _unroutable(transaction, envelope, rule, notice, f"template {rule.template} has no wording")
            return
        language, version = wording
        kept = rendering.needed(words[language].subject, words[language].body, notice.values)
        command = delivery.PlanNotification(
            replace(notice, values=facts.told_to(kept, notice, outsider=recipient.outsider)),
            rule.key,
            recipient.contact,
            recipient.team,
            CHANNEL,
            cast(Literal["zh-CN", "en"], language),
            rule.template,
            version,
        )
        parts = (rule.key, notice.cause, recipient.contact, CHANNEL)
        await transaction.execute(
            delivery.DELIVERY,
            str(ids.derived_id("delivery", *parts)),
            command,
            _metadata(envelope, notice, f"{NAME}\n{rule.key}\n{recipient.contact}\n{CHANNEL}"),
        )


async def _unroutable(
    transaction: Transaction, envelope: Envelope, rule: ActiveRule, notice: Notice, reason: str
) -> None:
    await transaction.execute(
        delivery.DELIVERY,
        str(ids.derived_id("unroutable", rule.key, notice.cause)),
        delivery.RecordUnroutable(notice, rule.key, reason[: facts.VALUE_LENGTH]),
        _metadata(envelope, notice, f"{NAME}\n{rule.key}\nunroutable"),
    )


def _metadata(envelope: Envelope, notice: Notice, reaction: str) -> Metadata:
    # The reaction names rule and contact instead of counting: a count would mean somebody else after a rule changed.
    return Metadata(
        command_id=ids.reactor_command_id(reaction, envelope.id, 0),
        actor=_ACTOR,
        organisation=envelope.organisation or notice.subject.organisation,
        correlation_id=envelope.correlationid,
        causation_id=str(envelope.id),
        traceparent=envelope.traceparent,
    )


NOTICES = Subscription(
    name=NAME,
    version=1,
    contexts=("incident", "sla"),
    reads=NOTIFIABLE,
    handle=handle,
    projections=(incident_subject.INCIDENT_SUBJECT,),
)
