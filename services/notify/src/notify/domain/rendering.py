"""Wordings: a small, terminating part of Jinja2 for plain-text mail.

Only text, values, conditions and a few filters. Loops, calls, assignments, attributes and arithmetic are refused, so
the work is linear in the text whatever its author intends: nothing can run for ever or grow without bound.
Jinja2's sandbox stands behind that as a second wall.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import StrictUndefined, TemplateError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from notify.domain.checks import CONTROLS
from notify.domain.facts import Value, samples
from opsledger_events.envelope import InvalidEnvelope, parse_instant
from opsledger_runtime.errors import FieldError, Invalid

SUBJECT_SOURCE: Final = 500
BODY_SOURCE: Final = 10_000
SUBJECT_LENGTH: Final = 250
BODY_LENGTH: Final = 50_000
"""Limits in characters: the source as written, and the text as sent, which is cut with an ellipsis."""

NAMES: Final = (
    "recipient_name",
    "team_name",
    "party_name",
    "assignee_name",
    "requester_name",
    "metric_name",
    "time_zone",
)
"""Values that are looked up when the mail is sent."""

_SHOWN_AS: Final = {name.removesuffix("_name"): name for name in NAMES if name.endswith("_name")}

_ALLOWED: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Concat,
    nodes.Filter,
    nodes.Test,
)
_UNPRINTED: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_FILTERS: Final = frozenset({"capitalize", "d", "default", "lower", "trim", "truncate", "upper"})
_TESTS: Final = frozenset({"defined", "none", "undefined"})

_ENVIRONMENT: Final = ImmutableSandboxedEnvironment(
    autoescape=False,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def show_instant(text: str, zone: ZoneInfo) -> str:
    """`2026-11-22 13:00:00 +08:00`: local time with its offset. What is no instant is shown as it is."""
    try:
        local = parse_instant(text).astimezone(zone)
    except InvalidEnvelope:
        return text
    return f"{local:%Y-%m-%d %H:%M:%S} {_offset(local)}"


def _offset(local: datetime) -> str:
    plain = f"{local:%z}"
    return f"{plain[:3]}:{plain[3:5]}"


def context(values: Mapping[str, Value], names: Mapping[str, str], zone: ZoneInfo) -> dict[str, Value]:
    """Everything that a wording can use: frozen values with instants in the reader's zone, and looked-up names."""
    shown: dict[str, Value] = {
        name: show_instant(value, zone) if name.endswith("_at") and isinstance(value, str) else value
        for name, value in values.items()
    }
    return shown | {name: names.get(name, "") for name in NAMES} | {"time_zone": zone.key}


@lru_cache(maxsize=256)
def _compile(source: str, limit: int, pointer: str) -> "_Checked":
    if len(source) > limit:
        raise Invalid(f"At most {limit} characters.", [FieldError(pointer, f"shorten it to {limit} characters")])
    try:
        tree = _ENVIRONMENT.parse(source)
        for node in tree.find_all(nodes.Node):
            _refuse_foreign(node)
        return _Checked(source, frozenset(meta.find_undeclared_variables(tree)))
    except TemplateError as error:
        raise Invalid("The wording is not a valid template.", [FieldError(pointer, str(error)[:300])]) from error
    except RecursionError as error:
        raise Invalid("The wording is nested too deeply.", [FieldError(pointer, "nest less")]) from error


class _Refused(TemplateError):
    pass


def _refuse_foreign(node: nodes.Node) -> None:
    if not isinstance(node, _ALLOWED):
        raise _Refused(
            f"{type(node).__name__} is not available in wordings: use text, {{{{ values }}}}, conditions and filters"
        )
    if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
        raise _Refused(f"filter {node.name} is not available: use one of {', '.join(sorted(_FILTERS))}")
    if isinstance(node, nodes.Test) and node.name not in _TESTS:
        raise _Refused(f"test {node.name} is not available: use one of {', '.join(sorted(_TESTS))}")


class _Checked:
    def __init__(self, source: str, names: frozenset[str]) -> None:
        self.names = names
        self._template = _ENVIRONMENT.from_string(source)

    def render(self, values: Mapping[str, Value]) -> str:
        return self._template.render(values)


def render(subject: str, body: str, values: Mapping[str, Value]) -> tuple[str, str]:
    """Subject on one line and body, ready to send.

    Raises:
        Invalid: the source is no acceptable template or uses a value that does not exist.
    """
    return (
        _one_line(_render(subject, SUBJECT_SOURCE, "/subject", values)),
        _plain(_render(body, BODY_SOURCE, "/body", values)),
    )


def needed(subject: str, body: str, values: Mapping[str, Value]) -> dict[str, Value]:
    """Those of the values that the wording uses, itself or through a name that is looked up for it.

    Raises:
        Invalid: the source is no acceptable template.
    """
    used = _compile(subject, SUBJECT_SOURCE, "/subject").names | _compile(body, BODY_SOURCE, "/body").names
    return {name: value for name, value in values.items() if name in used or _SHOWN_AS.get(name) in used}


def _render(source: str, limit: int, pointer: str, values: Mapping[str, Value]) -> str:
    template = _compile(source, limit, pointer)
    try:
        return template.render(values)
    except (TemplateError, TypeError, ValueError, AssertionError, RecursionError) as error:
        # A filter asserts what it is given: `truncate` a length that leaves room for its ellipsis.
        known = ", ".join(sorted(values))
        raise Invalid(
            "The wording cannot be filled in.", [FieldError(pointer, f"{str(error)[:300]}; there are: {known}")]
        ) from error


def _one_line(text: str) -> str:
    """A header holds one line; whatever a value brings along, nothing of it starts another header."""
    line = CONTROLS.sub(" ", text).strip()
    return line if len(line) <= SUBJECT_LENGTH else line[: SUBJECT_LENGTH - 1] + "…"


def _plain(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    clean = _UNPRINTED.sub("", lines)
    return clean if len(clean) <= BODY_LENGTH else clean[: BODY_LENGTH - 1] + "…"


def check(subject: str, body: str, event_types: Iterable[str]) -> None:
    """Fill the wording in with sample values of each event.

    Raises:
        Invalid: it is empty, is no acceptable template, or needs a value that such an event does not have.
    """
    if not subject.strip() or not body.strip():
        raise Invalid(
            "A wording has a subject and a body.", [FieldError("/subject", "write at least one word in each")]
        )
    zone = ZoneInfo("UTC")
    names = dict.fromkeys(NAMES, "name")
    for event_type in sorted(event_types):
        for values in samples(event_type):
            filled, _ = render(subject, body, context(values, names, zone))
            if not filled:
                raise Invalid("The subject would be empty.", [FieldError("/subject", f"for {event_type}")])
