"""A seeded load: what each client will ask is decided before it starts; what came of it is written down.

Every command has an idempotency key made of seed, client and step, so the same seed asks the same things again.
"""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import httpx

from opsledger_runtime import ids

Outcome = Literal["acknowledged", "refused", "unknown"]

REASONS = ("awaiting_requester", "awaiting_vendor", "awaiting_third_party")
ACTIONS = ("assign", "start", "hold", "resume", "prioritise", "note", "resolve", "reopen", "close", "cancel")
WEIGHTS = (14, 16, 14, 14, 10, 12, 10, 5, 3, 2)


@dataclass(frozen=True)
class Step:
    """One request of a script; `action` is empty for the opening."""

    key: str
    action: str
    body: dict[str, Any]
    pause: float
    give_up: bool  # leave it unanswered if the first try is, so that some commands stay of unknown fate


@dataclass(frozen=True)
class Alert:
    """One alert of its own fingerprint: fires, repeats, resolves."""

    fingerprint: str
    starts_at: str
    repeats: int
    resolves: bool


@dataclass
class Entry:
    """What became of one command."""

    step: Step
    command: UUID
    outcome: Outcome
    incident: str | None
    before: int | None  # version known before, None where an unknown one may have changed it
    after: int | None
    answer: dict[str, Any] = field(default_factory=dict)


@dataclass
class Journal:
    """Everything that was asked and answered."""

    entries: list[Entry] = field(default_factory=list)
    alerts: dict[str, set[str]] = field(default_factory=dict)  # fingerprint → states whose webhook was acknowledged
    tried: set[str] = field(default_factory=set)  # fingerprints of webhooks that were sent at all
    server_errors: list[str] = field(default_factory=list)

    def count(self, outcome: Outcome) -> int:
        return sum(entry.outcome == outcome for entry in self.entries)


def script(seed: int, client: int, number: int) -> list[Step]:
    """The number-th incident of a client: opened, then worked on, some of it against the rules."""
    rng = random.Random(f"{seed}/{client}/{number}")
    stem = f"{seed}-{client}-{number}"
    title = rng.choice(("核心交换机告警", "Login fails", "打印机卡纸 🖨", "VPN drops", "磁盘将满"))
    opening = {
        "title": f"{title} {stem}",
        "impact": rng.randint(1, 3),
        "urgency": rng.randint(1, 3),
        "service": rng.choice(("mail", "core-network", "erp")),
        "requester": "requester-1",
        "channel": "phone",
    }
    steps = [Step(f"{stem}-open", "", opening, 0.0, rng.random() < 0.1)]
    for index in range(rng.randint(2, 12)):
        action = rng.choices(ACTIONS, WEIGHTS)[0]
        key = f"{stem}-{index}-{action}"
        bodies: dict[str, dict[str, Any]] = {
            "assign": {"team": rng.choice(("network", "desk")), "assignee": f"engineer-{rng.randint(1, 3)}"},
            "hold": {"reason": rng.choice(REASONS), "note": f"等待 {key}"},
            "prioritise": {"impact": rng.randint(1, 3), "urgency": rng.randint(1, 3)},
            "note": {"text": f"记录 {key}", "public": rng.random() < 0.5},
            "resolve": {"responsibility": rng.choice(("provider", "third_party", "customer")), "resolution": key},
            "reopen": {"reason": key},
            "cancel": {"reason": key},
        }
        steps.append(Step(key, action, bodies.get(action, {}), rng.uniform(0.0, 0.8), rng.random() < 0.2))
    return steps


def alerts(seed: int) -> Iterator[Alert]:
    """Alerts without end, each with a fingerprint of its own."""
    rng = random.Random(f"{seed}/alerts")
    number = 0
    while True:
        number += 1
        instant = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        yield Alert(f"{rng.getrandbits(64):016x}", instant, rng.randint(0, 3), rng.random() < 0.7)


def webhook(alert: Alert, state: str) -> dict[str, Any]:
    """Alertmanager's version 4 payload for one alert."""
    ended = datetime.now(UTC).isoformat().replace("+00:00", "Z") if state == "resolved" else "0001-01-01T00:00:00Z"
    one = {
        "status": state,
        "labels": {"alertname": "DiskFull", "severity": "warning", "instance": alert.fingerprint, "team": "desk"},
        "annotations": {"summary": f"磁盘将满 {alert.fingerprint}"},
        "startsAt": alert.starts_at,
        "endsAt": ended,
        "generatorURL": "http://prometheus/graph",
        "fingerprint": alert.fingerprint,
    }
    return {
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": state,
        "receiver": "opsledger",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "alerts": [one],
    }


class Load:
    """Several clients at once until told to stop; each waits for its answer before it asks again."""

    def __init__(
        self,
        seed: int,
        base_url: Callable[[], str],
        desk: tuple[str, str],
        machine: str,
        journal: Journal,
        slow: float = 1.0,
    ) -> None:
        self._seed = seed
        self._base_url = base_url
        self._subject, self._token = desk
        self._machine = machine
        self._journal = journal
        self._slow = slow
        self._stop = asyncio.Event()

    async def run(self, clients: int) -> None:
        """Until `stop`; every request in flight is then finished or given up."""
        async with httpx.AsyncClient(timeout=httpx.Timeout(6.0)) as http:
            await asyncio.gather(*(self._desk(http, client) for client in range(clients)), self._monitor(http))

    def stop(self) -> None:
        self._stop.set()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), max(seconds * self._slow, 0.001))
        except TimeoutError:
            return

    async def _desk(self, http: httpx.AsyncClient, client: int) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            incident: str | None = None
            version: int | None = 0
            for step in script(self._seed, client, number):
                if self._stop.is_set():
                    return
                entry = await self._command(http, step, incident, version)
                self._journal.entries.append(entry)
                if not step.action:
                    incident = entry.incident
                    if incident is None:
                        break
                version = entry.after
                await self._pause(step.pause)

    async def _command(self, http: httpx.AsyncClient, step: Step, incident: str | None, version: int | None) -> Entry:
        path = path_of(step, incident)
        command = ids.caller_command_id(self._subject, step.key)
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": step.key}
        for attempt in range(1 if step.give_up else 40):
            try:
                answer = await http.post(self._base_url() + path, json=step.body, headers=headers)
            except httpx.HTTPError:
                if self._stop.is_set() and attempt > 5:
                    break
                await asyncio.sleep(0.25)
                continue
            if answer.is_success:
                etag = answer.headers.get("ETag")
                after = int(etag.strip('"')) if etag else None
                body = answer.json()
                return Entry(step, command, "acknowledged", incident or body.get("id"), version, after, body)
            if answer.status_code < 500 and answer.status_code not in (409, 429):
                return Entry(step, command, "refused", incident, version, version, _told(answer))
            if answer.status_code == 409 and _told(answer).get("code") != "in_flight":
                return Entry(step, command, "refused", incident, version, version, _told(answer))
            if answer.status_code == 500:
                self._journal.server_errors.append(answer.text[:500])
            await asyncio.sleep(0.25)
        return Entry(step, command, "unknown", incident, version, None)

    async def repeat(self, entries: Sequence[Entry]) -> list[str]:
        """Ask again what was acknowledged: the first answer comes back, and says that it is the first one's."""
        found: list[str] = []
        async with httpx.AsyncClient(timeout=httpx.Timeout(6.0)) as http:
            for entry in entries:
                headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": entry.step.key}
                url = self._base_url() + path_of(entry.step, entry.incident)
                answer = await http.post(url, json=entry.step.body, headers=headers)
                if answer.headers.get("Idempotency-Replayed") != "true" or answer.json() != entry.answer:
                    found.append(f"{entry.step.key}: answered {entry.answer} first, then {_told(answer)}")
        return found

    async def _monitor(self, http: httpx.AsyncClient) -> None:
        for alert in alerts(self._seed):
            for state in ["firing"] * (1 + alert.repeats) + ["resolved"] * alert.resolves:
                if self._stop.is_set():
                    return
                await self._send_alert(http, alert, state)
                await self._pause(0.15)

    async def _send_alert(self, http: httpx.AsyncClient, alert: Alert, state: str) -> None:
        headers = {"Authorization": f"Bearer {self._machine}"}
        self._journal.tried.add(alert.fingerprint)
        for _ in range(12):
            try:
                url = self._base_url() + "/api/incident/v1/alerts/alertmanager"
                answer = await http.post(url, json=webhook(alert, state), headers=headers)
            except httpx.HTTPError:
                await asyncio.sleep(0.25)
                continue
            if answer.is_success:
                self._journal.alerts.setdefault(alert.fingerprint, set()).add(state)
                return
            if answer.status_code == 500:
                self._journal.server_errors.append(answer.text[:500])
            await asyncio.sleep(0.25)


def path_of(step: Step, incident: str | None) -> str:
    """Where a step is sent; `incident` is of no account for an opening."""
    return f"/api/incident/v1/incidents/{incident}/{step.action}" if step.action else "/api/incident/v1/incidents"


def _told(answer: httpx.Response) -> dict[str, Any]:
    try:
        found: dict[str, Any] = answer.json()
    except ValueError:
        found = {"detail": answer.text}
    return {**found, "status": answer.status_code}
