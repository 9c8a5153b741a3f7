"""Alertmanager's webhook, version 4, to alerts. Pure.

Tolerant of missing and extra fields, since Grafana and others send the same shape with differences; refuses only a
body without a list of alerts. https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from incident.domain.commands import AlertState
from incident.intake.alert import Alert, Batch, Report, Unreadable
from opsledger_events.envelope import InvalidEnvelope, parse_instant
from opsledger_events.names import is_name, is_opaque_id
from opsledger_runtime.errors import FieldError, Invalid

VERSION: Final = "4"
MAX_TITLE: Final = 200
MAX_DESCRIPTION: Final = 20_000
MAX_FINGERPRINT: Final = 200

LEVELS: Final[dict[str, tuple[int, int]]] = {"critical": (1, 1), "warning": (2, 2), "info": (3, 3)}
"""Impact and urgency by the `severity` label; anything else is the middle of the matrix."""

DEVICE_LABELS: Final = ("instance", "host", "node", "device")
"""Labels that name what an alert is about, the likeliest first."""

_MIDDLE: Final = (2, 2)
_ADDRESS: Final = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://)?(?:[^/?#@]*@)?(?:\[(?P<bracketed>[0-9A-Fa-f:.]+)\]|(?P<host>[^:/?#\[\]]+))"
    r"(?::[0-9]{1,5})?(?:[/?#].*)?",
    re.IGNORECASE,
)
_FIRST_YEAR: Final = 1970  # Go's zero time, 0001-01-01, means that there is none


class _Unreadable(Exception):
    """This alert cannot be taken in; the message says why."""


def read(payload: Any, now: datetime) -> Batch:
    """The alerts of a delivery that arrived at `now`.

    Raises:
        Invalid: it is no such webhook at all.
    """
    found = payload.get("alerts") if isinstance(payload, Mapping) else None
    if not isinstance(found, list):
        version = payload.get("version") if isinstance(payload, Mapping) else None
        raise Invalid(
            f'This is not an Alertmanager webhook of version "{VERSION}" (its version is {json.dumps(version)[:40]}). '
            "Send an object with a list `alerts`.",
            [FieldError("/alerts", "Give a list of alerts.")],
            code="not_alertmanager",
        )
    alerts: list[Alert] = []
    unreadable: list[Unreadable] = []
    for index, raw in enumerate(found):
        try:
            alerts.append(_alert(index, raw, payload.get("status"), now))
        except _Unreadable as reason:
            unreadable.append(Unreadable(index, str(reason), as_bytes(raw)))
    return Batch(tuple(alerts), tuple(unreadable))


def as_bytes(raw: Any) -> bytes:
    """Any JSON value as plain ASCII JSON."""
    return json.dumps(raw).encode()


def _alert(index: int, raw: Any, group_status: Any, now: datetime) -> Alert:
    if not isinstance(raw, Mapping):
        raise _Unreadable("The alert is not an object.")
    labels, annotations = _texts(raw, "labels"), _texts(raw, "annotations")
    try:
        starts_at = _instant(raw.get("startsAt"))
    except InvalidEnvelope as error:
        raise _Unreadable("`startsAt` is not an RFC 3339 instant with an offset.") from error
    try:
        ends_at = _instant(raw.get("endsAt"))
    except InvalidEnvelope:
        ends_at = None  # that it ended counts more than when
    fingerprint = _fingerprint(raw.get("fingerprint"), labels)
    return Alert(
        index=index,
        fingerprint=fingerprint,
        state=_state(raw.get("status", group_status), ends_at, now),
        starts_at=starts_at or now,
        ends_at=ends_at,
        organisation=_label(labels, "organisation", is_opaque_id),
        report=lambda: _report(raw, labels, annotations, fingerprint),
    )


def _report(
    raw: Mapping[str, Any], labels: Mapping[str, str], annotations: Mapping[str, str], fingerprint: str
) -> Report:
    impact, urgency = LEVELS.get(labels.get("severity", "").strip().lower(), _MIDDLE)
    return Report(
        title=_title(labels, annotations, fingerprint),
        description=_description(raw, labels, annotations),
        impact=impact,
        urgency=urgency,
        category=_label(labels, "category", is_name),
        service=_label(labels, "service", is_name),
        configuration_item=_label(labels, "configuration_item", is_name) or _label(labels, "instance", is_name),
        team=_label(labels, "team", is_opaque_id),
        names=_names(labels),
    )


def _names(labels: Mapping[str, str]) -> tuple[str, ...]:
    """What the alert may call its item: what it says outright, else each label that commonly names a device."""
    stated = _label(labels, "configuration_item", is_name)
    if stated is not None:
        return (stated,)
    found = dict[str, None]()
    for label in DEVICE_LABELS:
        name = _label(labels, label, is_name)
        if name is not None:
            found[name] = None
            found.update(dict.fromkeys(_without_port(name)))
    return tuple(found)


def _without_port(name: str) -> tuple[str, ...]:
    """The host of `host:9100`, `[::1]:9100` or `https://host/path`; nothing where the name is no such address."""
    match = _ADDRESS.fullmatch(name)
    if match is None:
        return ()
    return (match["bracketed"] or match["host"],)


def _texts(raw: Mapping[str, Any], name: str) -> dict[str, str]:
    found = raw.get(name)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise _Unreadable(f"`{name}` is not an object.")
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}


def _instant(found: Any) -> datetime | None:
    if found in (None, ""):
        return None
    if not isinstance(found, str):
        raise InvalidEnvelope("not text")
    try:
        return None if int(found[:4]) < _FIRST_YEAR else parse_instant(found)
    except (ValueError, OverflowError) as error:  # InvalidEnvelope is a ValueError
        raise InvalidEnvelope(str(found)) from error


def _fingerprint(found: Any, labels: Mapping[str, str]) -> str:
    if isinstance(found, str) and found.strip():
        if len(found) > MAX_FINGERPRINT:
            raise _Unreadable(f"`fingerprint` has more than {MAX_FINGERPRINT} characters.")
        return found
    if not labels:
        raise _Unreadable("The alert has neither a fingerprint nor labels, so a repeat could not be recognised.")
    return hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:16]


def _state(status: Any, ends_at: datetime | None, now: datetime) -> AlertState:
    if status is None:
        return "resolved" if ends_at is not None and ends_at <= now else "firing"
    match str(status).strip().lower():
        case "firing":
            return "firing"
        case "resolved":
            return "resolved"
        case _:
            raise _Unreadable("`status` is neither firing nor resolved.")


def _title(labels: Mapping[str, str], annotations: Mapping[str, str], fingerprint: str) -> str:
    named = " ".join(labels[name] for name in ("alertname", "instance") if labels.get(name, "").strip())
    for candidate in (annotations.get("summary", ""), named):
        if candidate.strip():
            return _cut(candidate, MAX_TITLE)
    return f"Alert {fingerprint}"[:MAX_TITLE]


def _description(raw: Mapping[str, Any], labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    parts = [annotations.get("description") or annotations.get("message") or ""]
    parts.append("\n".join(f"{name}: {value}" for name, value in sorted(labels.items())))
    parts.append(annotations.get("runbook_url", ""))
    generator = raw.get("generatorURL")
    parts.append(generator if isinstance(generator, str) else "")
    return _cut("\n\n".join(part for part in parts if part), MAX_DESCRIPTION)


def _label(labels: Mapping[str, str], name: str, fits: Callable[[str], bool]) -> str | None:
    """The label, unless it could not be used as what it stands for: then the description alone shows it."""
    found = labels.get(name)
    if not found:
        return None
    found = found.strip()
    return found if fits(found) else None


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
