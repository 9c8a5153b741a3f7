"""What must hold after the storm: every check returns the sentences it would complain with, and none when all is well.

Reads the stores, the stream, the read models and the mail sink; believes no service's own report.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

import asyncpg
from nats.js import JetStreamContext
from tests.chaos.load import Entry, Journal

from opsledger_events import Envelope
from opsledger_events.subjects import ALL_EVENTS, STREAM
from opsledger_runtime import ledger

Connections = Mapping[str, "asyncpg.Connection[asyncpg.Record]"]
"""An owner's connection to each context's database."""


async def commands(incident: "asyncpg.Connection[asyncpg.Record]", journal: Journal) -> list[str]:
    """Acknowledged commands' events exactly once, refused ones absent, unanswered ones wholly in or out.

    Each desk client alone works on its incidents, so every version between two answers is its own command's, or one
    of its commands of unknown fate.
    """
    rows = await incident.fetch("select command, aggregate, version from es.event order by aggregate, version")
    by_command: dict[UUID, list[tuple[str, int]]] = defaultdict(list)
    last: dict[str, int] = {}
    for row in rows:
        by_command[row["command"]].append((row["aggregate"], row["version"]))
        last[row["aggregate"]] = row["version"]
    unsure: dict[str, set[int]] = defaultdict(set)
    for entry in journal.entries:
        if entry.outcome == "unknown":
            for aggregate, version in by_command.get(entry.command, []):
                unsure[aggregate].add(version)
    found: list[str] = []
    for entry in journal.entries:
        stored = by_command.get(entry.command, [])
        name = f"{entry.step.key} ({entry.outcome})"
        if entry.outcome == "refused" and stored:
            found.append(f"{name}: refused with {entry.answer.get('code')}, yet stored at {stored}")
        if entry.outcome == "unknown" and len(stored) > 1:
            found.append(f"{name}: its one event stands {len(stored)} times")
        if entry.outcome == "acknowledged":
            found += [f"{name}: {complaint}" for complaint in _acknowledged(entry, stored, last, unsure)]
    return found


def _acknowledged(
    entry: Entry, stored: list[tuple[str, int]], last: Mapping[str, int], unsure: Mapping[str, set[int]]
) -> list[str]:
    incident, after = entry.incident or "", entry.after
    if after is None:
        return ["the answer told no version"]
    if last.get(incident, 0) < after:
        return [f"acknowledged at version {after} of {incident}, which ends at {last.get(incident, 0)}"]
    if stored and {aggregate for aggregate, _ in stored} != {incident}:
        return [f"stored at {stored}, acknowledged at {incident}"]
    versions = [version for _, version in stored]
    if entry.before is None:
        return [f"acknowledged at {after}, stored {versions}"] if versions and versions != [after] else []
    between = range(entry.before + 1, after + 1)
    own = [version for version in between if version not in unsure.get(incident, ())]
    return [f"acknowledged {own} of {list(between)}, stored {versions}"] if own != versions else []


async def alerts(incident: "asyncpg.Connection[asyncpg.Record]", journal: Journal) -> list[str]:
    """One incident, opened and assigned at once, per fingerprint whose webhook was acknowledged; its end once."""
    opened: Counter[str] = Counter()
    resolved: Counter[str] = Counter()
    teams: dict[tuple[UUID, str], str] = {}
    halves: dict[tuple[UUID, str], set[str]] = defaultdict(set)
    for row in await incident.fetch("select type, command, body from es.event where type like 'incident.Incident%'"):
        envelope = Envelope.from_json(row["body"])
        halves[row["command"], envelope.subject].add(envelope.name)
        if row["type"] == "incident.IncidentOpened.v1" and (print_ := envelope.data.get("alert_fingerprint")):
            opened[print_] += 1
            teams[row["command"], envelope.subject] = print_
        if row["type"] == "incident.IncidentAlertStateChanged.v1" and envelope.data["state"] == "resolved":
            resolved[envelope.data["fingerprint"]] += 1
    found = [
        f"alert {p}: acknowledged, no incident" for p, s in journal.alerts.items() if "firing" in s and not opened[p]
    ]
    for command, fingerprint in teams.items():
        if halves[command] != {"IncidentOpened", "IncidentAssigned"}:
            found.append(f"alert {fingerprint}: its one command stored {sorted(halves[command])} only")
    found += [f"alert {p}: {n} incidents" for p, n in opened.items() if n != 1]
    found += [f"alert {p}: incident, never sent" for p in opened if p not in journal.tried]
    for fingerprint, states in journal.alerts.items():
        if states == {"firing", "resolved"} and resolved[fingerprint] != 1:
            found.append(f"alert {fingerprint}: acknowledged resolution recorded {resolved[fingerprint]} times")
    return found


async def stores(connections: Connections) -> list[str]:
    """Versions contiguous, everything published, the chain whole, every digest true to its bytes."""
    found: list[str] = []
    for context, connection in connections.items():
        gaps = await connection.fetch(
            "select aggregate, count(*) as n, max(version) as last from es.event"
            " group by aggregate having count(*) <> max(version)"
        )
        found += [
            f"{context}: aggregate {row['aggregate']} has {row['n']} events up to version {row['last']}" for row in gaps
        ]
        unpublished = await connection.fetchval(
            "select count(*) from es.event e where not exists (select from es.publication p where p.event = e.id)"
        )
        if unpublished:
            found.append(f"{context}: {unpublished} events have no publication number")
        previous, expected = ledger.GENESIS, 1
        rows = await connection.fetch(
            "select p.no, p.prevhash, p.hash, e.body, e.salt, e.digest from es.publication p"
            " join es.event e on e.id = p.event order by p.no"
        )
        for row in rows:
            if row["no"] != expected:
                found.append(f"{context}: publication {expected} is missing")
                break
            if ledger.digest_of(row["body"], row["salt"]) != row["digest"]:
                found.append(f"{context}: event at {row['no']} does not match its digest")
            if row["prevhash"] != previous or row["hash"] != ledger.chain(previous, row["no"], row["digest"]):
                found.append(f"{context}: the chain breaks at {row['no']}")
                break
            previous, expected = row["hash"], expected + 1
    return found


async def events_of(connection: "asyncpg.Connection[asyncpg.Record]") -> list[Envelope]:
    """A context's numbered events in order of number."""
    rows = await connection.fetch(
        "select p.no, e.body from es.publication p join es.event e on e.id = p.event order by p.no"
    )
    return [Envelope.from_json(row["body"]).numbered(row["no"]) for row in rows]


async def read_stream(js: JetStreamContext) -> list[Envelope]:
    """Every message on the bus in order of the stream."""
    info = await js.stream_info(STREAM)
    found: list[Envelope] = []
    if info.state.messages == 0:
        return found
    subscription = await js.subscribe(ALL_EVENTS, stream=STREAM, ordered_consumer=True, pending_msgs_limit=2_000_000)
    while len(found) < info.state.messages:
        message = await subscription.next_msg(timeout=10)
        found.append(Envelope.from_json(message.data))
    await subscription.unsubscribe()
    return found


def bus(events: Mapping[str, Sequence[Envelope]], stream: Sequence[Envelope]) -> list[str]:
    """Each context's messages are its publications: the same events, bytes and order, each once."""
    found: list[str] = []
    on_bus: dict[str, list[Envelope]] = defaultdict(list)
    for envelope in stream:
        on_bus[envelope.context].append(envelope)
    for context, known in events.items():
        stored = list(known)
        there = on_bus.pop(context, [])
        if stored == there:
            continue
        found.append(f"{context}: {len(stored)} events in the store, {len(there)} on the bus")
        for position, (ours, theirs) in enumerate(zip(stored, there, strict=False), 1):
            if ours != theirs:
                found.append(f"{context}: at {position} the store has {ours.sequence}, the bus {theirs.sequence}")
                break
    found += [
        f"the bus has {len(events)} events of {context}, whose store is unknown" for context, events in on_bus.items()
    ]
    return found


def leaders(samples: Sequence[Sequence[Mapping[str, Any]]]) -> list[str]:
    """At rest exactly one process leads each relay and each subscription; `samples` are rounds of status reports."""
    found: list[str] = []
    for name, counts in _leading(samples).items():
        if all(count > 1 for count in counts):
            found.append(f"{name}: {min(counts)} processes lead at once")
    return found


def _leading(samples: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for statuses in samples:
        counts: Counter[str] = Counter()
        for status in statuses:
            context = status["context"]
            counts[f"{context}: relay"] += status["relay"]["state"] != "standby"
            for subscription in status["subscriptions"]:
                counts[f"{context}: subscription {subscription['name']}"] += subscription["leading"]
        for name, count in counts.items():
            found[name].append(count)
    return found


async def parked(connections: Connections) -> list[str]:
    """Nothing was put aside: no event of the load is one that a handler cannot take."""
    found: list[str] = []
    for context, connection in connections.items():
        rows = await connection.fetch("select subscription, type, sequence, error from es.parked limit 5")
        found += [
            f"{context}: {r['subscription']} parked {r['type']} #{r['sequence']}: {r['error'][:200]}" for r in rows
        ]
    return found


async def mails(
    notify: "asyncpg.Connection[asyncpg.Record]", sunk: Sequence[Mapping[str, Any]], rested: datetime
) -> list[str]:
    """The ledger agrees with the sink: delivered means received, received means requested, again only after unknown.

    What was requested after `rested`, by a timer that came before the services stopped, may not be settled yet.
    """
    received: Counter[str] = Counter(mail["message_id"].strip("<>").split("@")[0] for mail in sunk)
    requested: set[str] = set()
    settled: Counter[str] = Counter()
    delivered: set[str] = set()
    late: set[str] = set()
    query = "select aggregate, type, recordedtime from es.event where type like 'notify.Notification%'"
    for row in await notify.fetch(query):
        name = row["type"].split(".")[1]
        if name == "NotificationRequested":
            requested.add(row["aggregate"])
            late |= {row["aggregate"]} if row["recordedtime"] > rested else set()
        if name in ("NotificationDelivered", "NotificationFailed"):
            settled[row["aggregate"]] += 1
        if name == "NotificationDelivered":
            delivered.add(row["aggregate"])
    attempts: dict[str, list[Any]] = defaultdict(list)
    for row in await notify.fetch("select * from notify.delivery_attempt order by delivery, attempt"):
        attempts[row["delivery"]].append(row)
    found = [f"delivery {d}: recorded as delivered, never received" for d in delivered if not received[d]]
    found += [f"mail {d}: received, never requested" for d in received.keys() - requested]
    found += [f"mail {d}: received, not recorded as delivered" for d in received.keys() & requested - delivered]
    found += [f"delivery {d}: requested, never settled" for d in requested - settled.keys() - late]
    found += [f"delivery {d}: settled {times} times" for d, times in settled.items() if times > 1]
    for delivery, rows in attempts.items():
        found += [f"delivery {delivery}: {complaint}" for complaint in _attempts(rows, received[delivery])]
    return found


def _attempts(rows: Sequence[Any], received: int) -> list[str]:
    """Each attempt hands over at most once; a further one is made only when the one before gave leave."""
    sure = sum(row["outcome"] == "delivered" for row in rows)
    may = sum(row["outcome"] in ("delivered", "unknown", None) for row in rows)
    found = [] if sure <= received <= may else [f"received {received} times, the ledger allows {sure} to {may}"]
    for before, row in pairwise(rows):
        unknown_then = before["finished_at"] is None or before["finished_at"] >= row["started_at"]
        if before["outcome"] in ("delivered", "rejected") and not unknown_then:
            found.append(f"attempt {row['attempt']} after attempt {before['attempt']} was {before['outcome']}")
    return found
