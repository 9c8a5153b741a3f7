"""Subscription `notices`: from other contexts' events to own deliveries.

One delivery per rule, causing event, contact and channel; its id and its command's id derive from these, so whatever is
read twice is requested once. An imported event belongs to the past and notifies nobody; an incident that opens under
another, which explains it, calls nobody a second time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, cast

from notify.domain import delivery, facts, rendering, routing
from notify.domain.facts import NOTIFIABLE, Notice
from notify.domain.routing import ActiveRule
from notify.projections import incident_subject, known
from notify.projections.known import Named
from opsledger_events import Envelope, decode
from opsledger_events.contexts.sla import ClockEvent, PromiseEvent
from opsledger_runtime import ids
from opsledger_runtime.store import Metadata, Transaction
from opsledger_runtime.subscriptions import Subscription

NAME: Final = "notices"
CHANNEL: Final[delivery.Channel] = "email"
_ACTOR: Final = "service:notify"


@dataclass(frozen=True, slots=True)
class _Reaction:
    """A rule that an event meets."""

    envelope: Envelope
    rule: ActiveRule
    notice: Notice


Planned = tuple[str, delivery.Command, Metadata]


async def handle(transaction: Transaction, envelopes: Sequence[Envelope]) -> None:
    """Keep `incident_subject`, and request what the rules say about each event as it stood then.

    Whom rules and notices name is read once for the whole batch.
    """
    connection = transaction.connection
    of_incidents = [envelope for envelope in envelopes if envelope.context == "incident"]
    types = {envelope.type_name for envelope in envelopes if envelope.importid is None}
    rules, incidents = await known.before(connection, types, incident_subject.unknown(of_incidents))
    reactions, changed = _reactions(routing.by_event(rules), incidents, envelopes)
    if not reactions:
        await incident_subject.save(connection, changed)
        return
    named = await known.named(
        connection,
        {team for one in reactions for team in routing.teams_wanted(one.rule, one.notice)},
        {contact for one in reactions for contact in routing.contacts_wanted(one.rule, one.notice)},
        {one.rule.template for one in reactions},
        saving=changed,
    )
    planned = [planned for one in reactions for planned in _told(one, named)]
    await transaction.load_many(delivery.DELIVERY, [aggregate for aggregate, _, _ in planned])
    for aggregate, command, metadata in planned:
        await transaction.execute(delivery.DELIVERY, aggregate, command, metadata)


def _reactions(
    rules: Mapping[str, Sequence[ActiveRule]], incidents: dict[str, facts.Subject], envelopes: Sequence[Envelope]
) -> tuple[list[_Reaction], dict[str, facts.Subject]]:
    """The rules that are met, and the incidents that the events change. Nothing else is done about other events."""
    changed: dict[str, facts.Subject] = {}
    found: list[_Reaction] = []
    for envelope in envelopes:
        incident, type_name = envelope.subject, envelope.type_name
        if type_name in incident_subject.INCIDENT_SUBJECT.reads:
            incidents[incident] = changed[incident] = incident_subject.after(incidents.get(incident), envelope)
        matching = rules.get(type_name)
        if matching is None or envelope.importid is not None:
            continue
        event = decode(envelope)
        if facts.told_with_its_cause(event):
            continue
        match event:
            case ClockEvent():
                subject = facts.subject_of_clock(event)
            case PromiseEvent():
                subject = facts.subject_of_promise(event)
            case _:
                subject = incidents.get(incident) or facts.Subject(incident, "", "")
        notice = facts.notice(event, subject, str(envelope.id), envelope.time)
        found.extend(_Reaction(envelope, rule, notice) for rule in matching)
    return found, changed


def _told(one: _Reaction, named: Named) -> Iterator[Planned]:
    rule, notice, words = one.rule, one.notice, named.words[one.rule.template]
    resolution = routing.resolve(rule, notice, named.teams, named.languages.keys())
    if not resolution.recipients:
        if resolution.missing:  # else it is kept from whom the rule names
            yield _unroutable(one, "; ".join(resolution.missing))
        return
    versions = {language: found.version for language, found in words.items()}
    for recipient in resolution.recipients:
        wording = routing.choose_wording(versions, rule.language or named.languages[recipient.contact])
        if wording is None:
            yield _unroutable(one, f"template {rule.template} has no wording")
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
        reaction = f"{NAME}\n{rule.key}\n{recipient.contact}\n{CHANNEL}"
        yield str(ids.derived_id("delivery", *parts)), command, _metadata(one, reaction)


def _unroutable(one: _Reaction, reason: str) -> Planned:
    return (
        str(ids.derived_id("unroutable", one.rule.key, one.notice.cause)),
        delivery.RecordUnroutable(one.notice, one.rule.key, reason[: facts.VALUE_LENGTH]),
        _metadata(one, f"{NAME}\n{one.rule.key}\nunroutable"),
    )


def _metadata(one: _Reaction, reaction: str) -> Metadata:
    envelope = one.envelope
    # The reaction names rule and contact instead of counting: a count would mean somebody else after a rule changed.
    return Metadata(
        command_id=ids.reactor_command_id(reaction, envelope.id, 0),
        actor=_ACTOR,
        organisation=envelope.organisation or one.notice.subject.organisation,
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
