"""Stories: events as four services would announce them, for tests of what subscribers make of them."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from opsledger_events import Envelope, Event
from opsledger_events.contexts import cmdb as c
from opsledger_events.contexts import incident as i
from opsledger_events.contexts import notify as n
from opsledger_events.contexts import sla as s

START = datetime(2026, 10, 1, 1, 0, tzinfo=UTC)
_NAMESPACE = UUID("8d4e7a5a-64d6-5a4f-9d5e-0d1f3c1f7a10")


class Story:
    """Envelopes as four services would announce them: contiguous numbers and versions, time that never falls."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self._numbers: dict[str, int] = {}
        self._versions: dict[str, int] = {}

    def tell(self, subject: str, event: Event, at: datetime, organisation: str | None = "acme") -> Envelope:
        """Announce `event` of aggregate `subject`."""
        context = event.event_context()
        number = self._numbers[context] = self._numbers.get(context, 0) + 1
        version = self._versions[subject] = self._versions.get(subject, 0) + 1
        data = event.model_dump(mode="json", exclude_none=True)
        envelope = Envelope(
            id=uuid5(_NAMESPACE, f"{context} {number}"),
            type=f"opsledger.{event.type_name}",
            source=f"/opsledger/test/{context}",
            subject=subject,
            time=at,
            recordedtime=at,
            aggregateversion=version,
            partitionkey=data[event.partition_by] if event.partition_by else subject,
            correlationid="story",
            actor="person-1",
            data=data,
            organisation=organisation,
            sequence=number,
        )
        self.envelopes.append(envelope)
        return envelope

    def by_context(self) -> dict[str, list[Envelope]]:
        """Each context's events in their order."""
        found: dict[str, list[Envelope]] = {}
        for envelope in self.envelopes:
            found.setdefault(envelope.context, []).append(envelope)
        return found


def opened(number: int, **changes: Any) -> i.IncidentOpened:
    """An incident of priority 3 for acme."""
    given: dict[str, Any] = {"number": f"INC{number:07d}", "title": f"故障 {number}", "impact": 3, "urgency": 3}
    return i.IncidentOpened(**{**given, "priority": 3, "organisation": "acme", "channel": "phone", **changes})


def about(incident: str, number: int, metric: str, **changes: Any) -> dict[str, Any]:
    """What every clock event says."""
    given: dict[str, Any] = {"incident": incident, "number": f"INC{number:07d}", "title": f"故障 {number}"}
    return {**given, "priority": 3, "organisation": "acme", "metric": metric, **changes}


def started(subject: dict[str, Any], at: datetime, target: int) -> s.SLAClockStarted:
    """A clock of a 24x7 calendar."""
    return s.SLAClockStarted(
        **subject,
        agreement="agreement-1",
        agreement_revision=1,
        calendar="calendar-1",
        calendar_revision=1,
        time_zone_database="2026a",
        target_seconds=target,
        warning_percent=[75],
        pausing_reasons=["awaiting_requester"],
        started_at=at,
        due_at=at + timedelta(seconds=target),
    )


def random_story(seed: int, incidents: int) -> Story:
    """Many incidents with everything that may happen to them, over seven weeks, in order of time."""
    dice = random.Random(seed)
    story = Story()
    happenings: list[tuple[datetime, int, str, Event, str]] = []

    def tell(at: datetime, subject: str, event: Event, organisation: str) -> None:
        happenings.append((at, len(happenings), subject, event, organisation))

    for team in ("network", "database"):
        members = [f"person-{at}" for at in range(dice.randint(1, 4))]
        tell(START, f"team-{team}", n.TeamFormed(key=team, name=f"{team} 组", members=members, revision=1), "acme")
    for number in range(1, incidents + 1):
        _incident(dice, random.Random(f"{seed} {number}"), number, tell)
        _clocks_of_teams(random.Random(f"{seed} {number} clocks"), number, tell)
    _items(random.Random(f"{seed} items"), tell)
    for at, _, subject, event, organisation in sorted(happenings, key=lambda found: found[:2]):
        story.tell(subject, event, at, organisation)
    return story


def item(key: str, **changes: Any) -> dict[str, Any]:
    """What every event that describes an item says."""
    given: dict[str, Any] = {"key": key, "name": f"{key} 名称", "item_class": "server", "environment": "production"}
    return {**given, "criticality": "high", "lifecycle": "operational", "organisation": "acme", **changes}


def _items(dice: random.Random, tell: Any) -> None:
    """Classes and items over seven weeks: owned or not, renamed, merged, retired; one class becomes one of services."""
    classes = (("server", False, True), ("database", True, True), ("application", False, False))
    for at, (key, database, administrator) in enumerate(classes):
        said = {"key": key, "name_zh": f"{key} 类", "name_en": key, "needs_database_administrator": database}
        for revision in (1, 2):
            event = c.ConfigurationItemClassDefined(
                **said,
                needs_administrator=administrator,
                is_service=key == "application" and revision == 2,
                revision=revision,
            )
            tell(START + timedelta(days=20 * (revision - 1), seconds=at), f"class-{key}", event, "acme")
    for number in range(12):
        subject, at = f"item-{number}", START + timedelta(seconds=dice.randint(10, 20 * 86400))
        given = item(
            f"item-{number}" if number % 3 else f"service-{number // 3}",
            item_class=dice.choice([key for key, *_ in classes]) if number % 3 else "application",
            owner_team=dice.choice([None, "network", "storage"]),
            administrator=dice.choice([None, "person-7"]),
            organisation=dice.choice(["acme", "globex"]),
        )
        tell(at, subject, c.ConfigurationItemRegistered(**given, source="csv"), given["organisation"])
        for _ in range(dice.randint(0, 4)):
            at += timedelta(seconds=dice.randint(0, 9 * 86400))
            owner: dict[str, Any] = {"owner_team": dice.choice([None, "database"]), "administrator": "person-8"}
            renamed = item(f"{given['key']}-{dice.randint(1, 3)}", item_class=given["item_class"])
            event = dice.choice(
                [
                    c.ConfigurationItemOwnerNamed(key=given["key"], **owner),
                    c.ConfigurationItemDescribed(**renamed, previous_key=given["key"]),
                    c.ConfigurationItemEditUndone(**given, undone_version=1),
                    c.ConfigurationItemStocked(key=given["key"]),
                    c.ConfigurationItemCommissioned(key=given["key"]),
                    c.ConfigurationItemRetired(key=given["key"]),
                    c.ConfigurationItemMerged(key=given["key"], into="item-1", into_key="item-1"),
                ]
            )
            tell(at, subject, event, given["organisation"])


def _incident(dice: random.Random, more: random.Random, number: int, tell: Any) -> None:
    subject, organisation = f"incident-{number}", dice.choice(["acme", "globex"])
    priority, team = dice.randint(1, 5), dice.choice(["network", "database", "field"])
    at = START + timedelta(seconds=dice.randint(0, 50 * 86400))
    target = dice.choice([3600, 7200, 86400])
    clock, said = f"clock-{number}", about(subject, number, "resolution", priority=priority, organisation=organisation)
    alert = {"alert_fingerprint": f"f{number}", "alert_source": "prometheus", "alert_started_at": at}
    given = {
        "service": more.choice([None, "service-0", "service-1", "shop"]),
        "category": more.choice([None, "network", "=database"]),
        "configuration_item": more.choice([None, "item-1", "item-2"]),
        "requester": more.choice([None, "person-1", "person-17"]),
        **(alert if more.random() < 0.4 else {}),
    }
    tell(at, subject, opened(number, priority=priority, organisation=organisation, **given), organisation)
    tell(at, clock, started(said, at, target), organisation)
    begun, due, breached, again = at, at + timedelta(seconds=target), False, at

    def later(most: int) -> datetime:
        nonlocal at
        at = at + timedelta(seconds=dice.randint(1, most), microseconds=dice.randint(0, 999999))
        return at

    if dice.random() < 0.1:
        later(600)
        tell(at, subject, i.IncidentCancelled(reason="opened twice"), organisation)
        tell(at, clock, s.SLAClockCancelled(**said), organisation)
        return
    if dice.random() < 0.85:
        tell(later(3600), subject, i.IncidentAssigned(team=team, assignee="person-1"), organisation)
        said["team"] = team
    if dice.random() < 0.3:
        team = dice.choice(["network", "database", "night-shift"])
        tell(later(3600), subject, i.IncidentAssigned(team=team), organisation)
        said["team"] = team
    tell(later(3600), subject, i.IncidentStarted(), organisation)
    if number % 3 == 0:
        tell(at, subject, i.IncidentRequesterContacted(channel="phone"), organisation)
        tell(at, subject, i.IncidentWorkaroundProvided(workaround="use the second link"), organisation)
    for _ in range(more.randint(0, 3)):
        alerted = {"fingerprint": f"f{number}", "state": more.choice(["firing", "resolved"]), "occurred_at": at}
        others: list[Event] = [
            i.IncidentNoted(text="说明", public=more.random() < 0.7),
            i.IncidentPrioritised(impact=1, urgency=1, priority=more.randint(1, 5), previous_priority=priority),
            i.IncidentGrouped(parent="incident-1", parent_number="INC0000001", path=["item-2", "item-1"]),
        ]
        tell(at, subject, more.choice([*others, i.IncidentAlertStateChanged(**alerted)]), organisation)
    if "alert_fingerprint" in given and more.random() < 0.5:
        for state in ("resolved", "firing"):
            said_again = {"fingerprint": f"f{number}", "state": state, "occurred_at": at}
            tell(at, subject, i.IncidentAlertStateChanged(**said_again), organisation)
    if dice.random() < 0.3:
        tell(later(600), subject, i.IncidentHeld(reason="awaiting_requester"), organisation)
        tell(later(7200), subject, i.IncidentResumed(), organisation)
    end = later(2 * 86400)
    while True:
        if end > due and not breached:
            breached, noticed = True, max(due, again)
            tell(noticed, clock, s.SLABreached(**said, due_at=due), organisation)
            notice = {"about": subject, "cause": "event-1", "cause_type": "sla.SLABreached.v1", "rule": "sla-breached"}
            notice |= {"contact": "person-1", "team": team, "channel": "email", "language": "zh-CN"}
            delivery, values = f"delivery-{number}", {"number": "1"}
            request = n.NotificationRequested(**notice, template="sla-breached", wording_version=1, values=values)
            tell(noticed + timedelta(seconds=1), delivery, request, organisation)
            outcome: Event = n.NotificationDelivered(**notice, attempts=1, message_id="<1@test>")
            if dice.random() < 0.2:
                outcome = n.NotificationFailed(**notice, attempts=6, reason="550")
            tell(noticed + timedelta(seconds=dice.randint(2, 90)), delivery, outcome, organisation)
        if dice.random() < 0.2:
            return
        elapsed = int((end - begun).total_seconds())
        tell(end, subject, i.IncidentResolved(responsibility="provider", resolution="fixed"), organisation)
        if end > due:
            late = s.SLAMissed(**said, elapsed_seconds=elapsed, overrun_seconds=elapsed - target)
            tell(end, clock, late, organisation)
        else:
            tell(end, clock, s.SLAMet(**said, elapsed_seconds=elapsed), organisation)
        if dice.random() < 0.8:
            break
        again = later(3600)
        tell(again, subject, i.IncidentReopened(reason="again"), organisation)
        tell(again, clock, s.SLAClockContinued(**said, elapsed_seconds=elapsed, due_at=due), organisation)
        end = later(86400)
    if dice.random() < 0.5:
        tell(later(86400), subject, i.IncidentClosed(), organisation)


def terms_changed(
    subject: dict[str, Any], at: datetime, target: int, due: datetime, standing: s.ClockStanding | None = None
) -> s.SLAClockTermsChanged:
    """A second revision with another target, which the standing has by default: running, with nothing broken."""
    return s.SLAClockTermsChanged(
        **subject,
        at=at,
        agreement="agreement-1",
        agreement_revision=2,
        previous_agreement="agreement-1",
        previous_agreement_revision=1,
        calendar="calendar-1",
        calendar_revision=1,
        time_zone_database="2026a",
        warning_percent=[50],
        pausing_reasons=[],
        retarget="from_opening",
        reopen="new_clock",
        facts=[{"kind": "opened", "at": at.isoformat(), "event": "event-1", "target": target}],
        elapsed_seconds=60,
        due_at=due,
        because="event-9",
        standing=standing
        or s.ClockStanding(state="running", elapsed_seconds=60, due_at=due, breach_at=due, target_seconds=target),
    )


def _clocks_of_teams(dice: random.Random, number: int, tell: Any) -> None:
    """Until the requester is spoken to; and of each team that has the incident for a while: kept, late, other terms."""
    incident, organisation = f"incident-{number}", dice.choice(["acme", "globex"])
    at = START + timedelta(seconds=dice.randint(0, 45 * 86400))
    stays = [("ola", dice.choice(["network", "database"]), dice.choice(["ownership", "resolution"]))]
    stays += [("uc", "vendor-x", "resolution")] * dice.randint(0, 2)
    for stay, (kind, party, metric) in enumerate([("sla", None, "contact"), ("sla", None, "update"), *stays]):
        clock, target = f"clock-{number}-{stay}", 3600
        said = about(incident, number, metric, organisation=organisation, kind=kind, party=party, team=party)
        tell(at, clock, started(said, at, target), organisation)
        due = at + timedelta(seconds=target)
        if dice.random() < 0.4:
            target = 7200
            due = at + timedelta(seconds=target)
            tell(at + timedelta(seconds=60), clock, terms_changed(said, at, target, due), organisation)
        said["team"] = dice.choice([party, "field"])
        used = dice.randint(100, 10000)
        at += timedelta(seconds=used)
        if at > due:
            tell(due, clock, s.SLABreached(**said, due_at=due, target_seconds=target), organisation)
        if dice.random() < 0.8:
            late = s.SLAMissed(**said, elapsed_seconds=used, overrun_seconds=used - target)
            tell(at, clock, late if at > due else s.SLAMet(**said, elapsed_seconds=used), organisation)


def interleaved(story: Story, seed: int) -> list[Envelope]:
    """The story's events in each context's order, contexts shuffled among one another."""
    dice = random.Random(seed)
    queues = {context: list(reversed(found)) for context, found in story.by_context().items()}
    weights = {context: dice.random() ** 3 + 0.01 for context in queues}
    shuffled: list[Envelope] = []
    while queues:
        context = dice.choices(list(queues), [weights[found] for found in queues])[0]
        shuffled.append(queues[context].pop())
        if not queues[context]:
            del queues[context]
    return shuffled


def batches(envelopes: Sequence[Envelope], seed: int, most: int = 40) -> list[Sequence[Envelope]]:
    """The same events cut into batches of random sizes."""
    dice, found, at = random.Random(seed), [], 0
    while at < len(envelopes):
        size = dice.randint(1, most)
        found.append(envelopes[at : at + size])
        at += size
    return found
