"""Taking alerts in: a repeat is counted, a change is an event, and one open incident stands for one fingerprint.

All of a batch is one transaction. The row in `alert` is the lock of a fingerprint; rows are locked in one order, so
that batches that overlap queue instead of blocking each other for good. Events happen when the alert is taken in; the
sender's own instants are in their data, since its clock may be wrong and an agreement's clock begins with the report.

What is a repeat follows from the last known state: Alertmanager lets an alert that ended and fires again keep its
`startsAt` while it still remembers it (prometheus/alertmanager issues 952 and 2768).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import reduce
from typing import Final
from uuid import UUID

from incident.domain.commands import AlertOrigin, Command, OpenIncident, RecordAlertState, ResolveIncident
from incident.domain.decider import DECIDER
from incident.domain.state import OPEN, Incident
from incident.handlers import LEEWAY
from incident.intake import kept_aside, received
from incident.intake.alert import Alert, Batch, Report, Unreadable
from incident.intake.failing import Failures
from incident.intake.received import Key, Known
from incident.intake.tidying import Tidying
from incident.looking_up import Found, look_up_failing
from incident.numbers import next_numbers, spelled
from incident.settings import IncidentSettings
from opsledger_events.envelope import format_instant
from opsledger_runtime import ids
from opsledger_runtime.errors import DomainError, VersionConflict
from opsledger_runtime.store import Loaded, Metadata, Transaction

RESOLUTION: Final = "The alert stopped firing."

OVERTAKING: Final = timedelta(seconds=60)
"""Within so long after an end a firing with the same start is the earlier message that arrived later."""


@dataclass(slots=True)
class Taken:
    """What became of a batch; the numbers add up to what was received."""

    opened: int = 0
    repeated: int = 0
    changed: int = 0
    rejected: list[Unreadable] = field(default_factory=list)


@dataclass(slots=True)
class Intake:
    """One batch on its way in. `metadata(organisation)` tells who sent it."""

    transaction: Transaction
    source: str
    organisations: tuple[str, ...] | None
    metadata: Callable[[UUID, str | None], Metadata]
    settings: IncidentSettings
    raw: Callable[[int], bytes]
    tidy: Tidying
    known: dict[str, Known] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    seen: set[Key] = field(default_factory=set)
    numbers: list[int] = field(default_factory=list)
    reports: dict[int, Report] = field(default_factory=dict)
    found: Found = field(default_factory=Found)
    failures: Failures = field(init=False)
    taken: Taken = field(default_factory=Taken)

    def __post_init__(self) -> None:
        self.failures = Failures(self.transaction)

    async def take(self, batch: Batch) -> Taken:
        """Take all of it in."""
        connection, now = self.transaction.connection, self.transaction.now
        self.taken.rejected.extend(batch.unreadable)
        alerts = [alert for alert in batch.alerts if self._in_scope(alert)]
        if alerts:
            await self._take(alerts)
        await kept_aside.put(connection, self.source, now, self.taken.rejected)
        await self.tidy.sometimes(connection, now)
        return self.taken

    async def _take(self, alerts: Sequence[Alert]) -> None:
        connection, now = self.transaction.connection, self.transaction.now
        self.known, self.numbers = await received.lock(connection, self.source, {alert.fingerprint for alert in alerts})
        others = {_key(a) for a in alerts if self.known[a.fingerprint].starts_at not in (None, a.starts_at)}
        self.seen = await received.seen(connection, self.source, others)
        await self.transaction.load_many(DECIDER, self._concerned(alerts))
        ranks = await self._foresee([alert for alert in alerts if await self._may_open(alert)])
        # Causes before what they break; of each alert "firing" sorts before "resolved", as it happens.
        alerts = sorted(alerts, key=lambda a: (ranks.get(a.fingerprint, 0), a.starts_at, a.state, a.index))
        counts: Counter[tuple[Key, str | None]] = Counter()
        for alert in alerts:
            await self._one(alert)
            counts[_key(alert), self.known[alert.fingerprint].incident] += 1
        changed = {name: self.known[name] for name in self.changed}
        await self.failures.group(self.metadata)
        await received.keep(connection, self.source, now, counts, changed)

    async def _look_up(self, alerts: Sequence[Alert]) -> None:
        """Find out what the alerts are about, unless they are only counted."""
        self.reports.update((alert.index, alert.report()) for alert in alerts if alert.index not in self.reports)
        names = {name for alert in alerts for name in self.reports[alert.index].names}
        await look_up_failing(self.transaction.connection, names, self.found)

    async def _foresee(self, alerts: Sequence[Alert]) -> dict[str, int]:
        """Look the items up of alerts that may open incidents, and plan what is grouped; ranks by fingerprint."""
        await self._look_up(alerts)
        opening: dict[str, str] = {}
        incidents: dict[str, str] = {}
        for alert in sorted(alerts, key=lambda alert: (alert.starts_at, alert.index)):
            item = self.found.item(self.reports[alert.index].names, self._organisation(alert))
            incident = self._incident(alert, self.known[alert.fingerprint])
            if item is not None and alert.fingerprint not in incidents:
                opening[incident], incidents[alert.fingerprint] = item.item, incident
        await self.failures.foresee(opening)
        return {fingerprint: self.failures.depth(incident) for fingerprint, incident in incidents.items()}

    async def _may_open(self, alert: Alert) -> bool:
        known = self.known[alert.fingerprint]
        if alert.state != "firing" or known.incident is None:
            return alert.state == "firing"
        if self._is_repeat(alert, known):
            return False
        return (await self.transaction.load(DECIDER, known.incident)).state.state not in OPEN

    def _concerned(self, alerts: Sequence[Alert]) -> list[str]:
        """The incidents that the batch has news for; those that it may open too, where some may be there already."""
        found = dict[str, None]()
        for alert in alerts:
            known = self.known[alert.fingerprint]
            if self.transaction.again and alert.state == "firing":
                found[self._incident(alert, known)] = None
            if known.incident is not None and not self._is_repeat(alert, known):
                found[known.incident] = None
        return list(found)

    def _organisation(self, alert: Alert) -> str | None:
        if alert.organisation is None and self.organisations is not None and len(self.organisations) == 1:
            return self.organisations[0]
        return alert.organisation

    def _in_scope(self, alert: Alert) -> bool:
        if self.organisations is None or self._organisation(alert) in self.organisations:
            return True
        self._reject(alert, "The label `organisation` names none that this sender may act for.")
        return False

    def _reject(self, alert: Alert, reason: str) -> None:
        self.taken.rejected.append(Unreadable(alert.index, reason, self.raw(alert.index)))

    async def _one(self, alert: Alert) -> None:
        known = self.known[alert.fingerprint]
        try:
            if alert.state == "firing":
                await self._firing(alert, known)
            else:
                await self._resolved(alert, known)
        except VersionConflict:
            raise
        except DomainError as refused:  # refused before anything of it was written, so the rest can go in
            self._reject(alert, refused.message)

    async def _firing(self, alert: Alert, known: Known) -> None:
        if not self._is_repeat(alert, known):
            self.changed.add(alert.fingerprint)
            if not await self._fires_again(alert, known):
                await self._open(alert, known, [])
            if alert.starts_at != known.starts_at:
                known.ends_at = None
            known.starts_at, known.state = alert.starts_at, "firing"
        elif known.incident is None and known.state == "resolved":
            self.changed.add(alert.fingerprint)
            # Its end arrived before its beginning: the outcome is the same as in order.
            ended = RecordAlertState(alert.fingerprint, "resolved", known.ends_at or self.transaction.now)
            await self._open(alert, known, [ended, *self._resolution()])
        else:
            self.taken.repeated += 1

    async def _fires_again(self, alert: Alert, known: Known) -> bool:
        """Tell the incident of this alert, unless there is none or it is over."""
        if known.incident is None:
            return False
        loaded = await self.transaction.load(DECIDER, known.incident)
        if loaded.state.state not in OPEN:
            return False
        command = RecordAlertState(alert.fingerprint, "firing", alert.starts_at)
        if self._tell(alert, known, known.incident, loaded, [command]):
            self.taken.changed += 1
        else:
            self.taken.repeated += 1
        return True

    async def _resolved(self, alert: Alert, known: Known) -> None:
        if self._is_repeat(alert, known):
            self.taken.repeated += 1
            return
        self.changed.add(alert.fingerprint)
        if known.incident is not None:
            loaded = await self.transaction.load(DECIDER, known.incident)
            ended = RecordAlertState(alert.fingerprint, "resolved", alert.ends_at or self.transaction.now)
            commands = [ended, *(self._resolution() if loaded.state.state in OPEN else [])]
            self._tell(alert, known, known.incident, loaded, commands)
        known.starts_at, known.state, known.ends_at = alert.starts_at, "resolved", alert.ends_at
        known.ended_received = self.transaction.now
        self.taken.changed += 1

    def _is_repeat(self, alert: Alert, known: Known) -> bool:
        """Whether it is no news, or news that something newer has overtaken."""
        now = self.transaction.now
        if known.starts_at is None:
            return False
        if alert.starts_at != known.starts_at:
            # An instant in the future came from a wrong clock and must not make what really happens look late.
            late = alert.starts_at < known.starts_at <= now + LEEWAY
            return late or _key(alert) in self.seen
        if alert.state == known.state:
            return True
        if alert.state == "firing":
            return known.ended_received is not None and now < known.ended_received + OVERTAKING
        return alert.ends_at is not None and alert.ends_at == known.ends_at

    def _resolution(self) -> list[Command]:
        if self.settings.alert_resolves != "resolve":
            return []
        return [ResolveIncident(self.settings.alert_responsibility, RESOLUTION)]

    def _incident(self, alert: Alert, known: Known) -> str:
        """The id of the incident that the alert would open."""
        return str(ids.derived_id("incident", self.source, *_texts(alert), str(known.changes)))

    async def _open(self, alert: Alert, known: Known, then: list[Command]) -> None:
        organisation = self._organisation(alert)
        incident = self._incident(alert, known)
        number = self.numbers.pop(0) if self.numbers else None
        if alert.index not in self.reports:  # it opens after all: what it told of before was over within this batch
            await self._look_up([alert])
        report = self.reports[alert.index]
        item = self.found.item(report.names, organisation)
        command = OpenIncident(
            number=spelled(number) if number else (await next_numbers(self.transaction.connection, 1))[0],
            title=report.title,
            description=report.description,
            impact=report.impact,
            urgency=report.urgency,
            category=report.category,
            service=report.service,
            configuration_item=item.key if item is not None else report.configuration_item,
            criticality=item.criticality if item is not None else None,
            organisation=organisation,
            channel="monitoring",
            team=report.team,
            owner=item.owner if item is not None else None,
            group=await self.failures.cause(incident),
            alert=AlertOrigin(self.source, alert.fingerprint, alert.starts_at),
        )
        # Almost never is it there already, and then the store meets a conflict: only after one is it looked for.
        nothing = Loaded(DECIDER.initial_state)
        loaded = await self.transaction.load(DECIDER, incident) if self.transaction.again else nothing
        self._tell(alert, known, incident, loaded, [command, *then], organisation)
        known.incident = incident
        self.taken.opened += 1

    def _tell(
        self,
        alert: Alert,
        known: Known,
        incident: str,
        loaded: Loaded[Incident],
        commands: Sequence[Command],
        organisation: str | None = None,
    ) -> bool:
        """Decide on exactly the state that was judged; whether anything followed.

        Raises:
            VersionConflict: somebody else's event came in between, so all of the batch is judged anew.
        """
        first, *others = commands
        state, events = loaded.state, list(DECIDER.decide(first, loaded.state))
        decided = events
        for command in others:
            state = reduce(DECIDER.evolve, decided, state)
            decided = list(DECIDER.decide(command, state))
            events = [*events, *decided]
        # One alert may come and go with one start: the number of changes tells its commands apart.
        command_id = ids.derived_id("alert", self.source, *_texts(alert), alert.state, str(known.changes))
        known.changes += 1
        metadata = self.metadata(command_id, organisation)
        return bool(self.transaction.append(DECIDER, incident, loaded, events, metadata))


def _key(alert: Alert) -> Key:
    return alert.fingerprint, alert.starts_at, alert.state


def _texts(alert: Alert) -> tuple[str, str]:
    return alert.fingerprint, format_instant(alert.starts_at)
