"""Webhooks of Alertmanager, version 4, with alerts as Prometheus' own rules for Kubernetes and hosts make them."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

ROUNDS: Final = 3
"""Each alert is sent so often: first it is new; each time after that, two in ten have changed."""

_NAMES: Final = (
    ("HostOutOfDiskSpace", "warning", "Disk is almost full (< 10 % left)"),
    ("KubePodCrashLooping", "warning", "Pod is crash looping"),
    ("InstanceDown", "critical", "实例已离线超过 5 分钟"),
    ("NodeNetworkInterfaceFlapping", "info", "Network interface is often changing its status"),
    ("TargetDown", "warning", "One or more targets are unreachable"),
)
_NEVER: Final = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Sent:
    """One alert of one webhook, by what recognises it."""

    fingerprint: str
    starts_at: str
    status: str


def fingerprint(name: str, index: int) -> str:
    """16 hexadecimal digits, as Alertmanager's; `name` tells loads of one platform apart."""
    return hashlib.blake2b(f"{name}\n{index}".encode(), digest_size=8).hexdigest()


def alert(name: str, index: int, turn: int, now: datetime) -> dict[str, Any]:
    """The alert with that index in that round.

    Of ten alerts one ends in the second round and fires again in the third; one fires with another start in the second
    and ends in the third; eight say the same every time.
    """
    kind, severity, summary = _NAMES[index % len(_NAMES)]
    began, ended = now - timedelta(hours=3), turn > 0 and index % 10 == 2 - turn
    if (turn == 2 and index % 10 == 0) or (turn > 0 and index % 10 == 1):
        began += timedelta(minutes=30 * turn if index % 10 == 0 else 30)
    host = f"10.{index // 60_000 % 250}.{index // 250 % 240}.{index % 250}:9100"
    labels = {
        "alertname": kind,
        "cluster": "prod-cn-north",
        "instance": host,
        "job": "node-exporter",
        "namespace": "monitoring",
        "pod": f"node-exporter-{index:05x}",
        "prometheus": "monitoring/k8s",
        "service": f"service-{index % 40}",
        "severity": severity,
    }
    if index % 4 == 0:
        labels["team"] = f"team-{index % 12}"
    return {
        "status": "resolved" if ended else "firing",
        "labels": labels,
        "annotations": {
            "description": f"{summary} on {host}; VALUE = {index % 100}.",
            "runbook_url": f"https://runbooks.example.com/{kind.lower()}",
            "summary": f"{summary} ({host})",
        },
        "startsAt": began.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "endsAt": now.isoformat(timespec="milliseconds").replace("+00:00", "Z") if ended else _NEVER,
        "generatorURL": f"http://prometheus.example.com/graph?g0.expr=up%7Binstance%3D%22{host}%22%7D+%3D%3D+0",
        "fingerprint": fingerprint(name, index),
    }


def webhook(name: str, first: int, batch: int, turn: int, now: datetime) -> tuple[str, list[Sent]]:
    """The body with `batch` alerts from index `first` on, and what is in it."""
    alerts = [alert(name, index, turn, now) for index in range(first, first + batch)]
    common = {"cluster": "prod-cn-north", "job": "node-exporter", "namespace": "monitoring"}
    body = {
        "receiver": "opsledger",
        "status": "firing" if any(one["status"] == "firing" for one in alerts) else "resolved",
        "alerts": alerts,
        "groupLabels": {"namespace": "monitoring"},
        "commonLabels": common if batch > 1 else alerts[0]["labels"],
        "commonAnnotations": {} if batch > 1 else alerts[0]["annotations"],
        "externalURL": "http://alertmanager.example.com",
        "version": "4",
        "groupKey": '{}:{namespace="monitoring"}',
        "truncatedAlerts": 0,
    }
    sent = [Sent(one["fingerprint"], one["startsAt"], one["status"]) for one in alerts]
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")), sent


def webhooks(name: str, distinct: int, batch: int, turn: int, now: datetime) -> Iterator[tuple[str, list[Sent]]]:
    """All webhooks of one round."""
    for first in range(0, distinct - batch + 1, batch):
        yield webhook(name, first, batch, turn, now)
