"""A clock as a time line in SVG: working hours, counting and pauses, targets, warnings, breach. Pure, deterministic.

Every kind of time has a pattern beside its colour. Text from outside is cut, freed of control characters and escaped.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from html import escape
from itertools import groupby
from typing import Final

from sla.explaining.labels import Mark, placed, text_width
from sla.explaining.lines import Account, Line
from sla.explaining.timescale import Scale, Segment, scale
from sla.explaining.words import Language, Words, short, words_of

WIDTH: Final = 900
_LEFT: Final = 70.0
_RIGHT: Final = 880.0
_LANE: Final = 18.0
_SIZE: Final = 12.0
_MOST_TEXT_LINES: Final = 4
_INK: Final = "#1f2933"
_SOFT: Final = "#52606d"
_COLOURS: Final = {"breached": "#a3160f", "due": "#1f2933", "warning": "#8a5a00", "met": "#14692f", "missed": "#a3160f"}

_STYLE: Final = (
    "text{font-family:system-ui,'Noto Sans CJK SC','WenQuanYi Micro Hei','Microsoft YaHei',sans-serif;"
    f"font-size:12px;fill:{_INK}}}"
    ".title{font-size:17px;font-weight:600}.about{font-size:13px}"
    f".soft{{fill:{_SOFT}}}"
    ".halo{paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}"
)
_PATTERNS: Final = (
    '<pattern id="closed" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect width="6" height="6" fill="#eef1f4"/>'
    '<path d="M0 6L6 0" stroke="#b8c2cc" stroke-width="1"/></pattern>'
    '<pattern id="paused" width="8" height="8" patternUnits="userSpaceOnUse">'
    '<rect width="8" height="8" fill="#ffe9b8"/>'
    '<path d="M-2 2L2 -2M0 8L8 0M6 10L10 6" stroke="#b97a00" stroke-width="2.4"/></pattern>'
    '<pattern id="over" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect width="6" height="6" fill="#c5362d"/>'
    '<path d="M0 0L6 6M6 0L0 6" stroke="#ffd9d6" stroke-width="1"/></pattern>'
    '<pattern id="stopped" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect width="6" height="6" fill="#f4f5f7"/>'
    '<circle cx="3" cy="3" r="1.1" fill="#7b8794"/></pattern>'
)
_FILLS: Final = {
    "working": 'fill="#cfe8d5"',
    "closed": 'fill="url(#closed)"',
    "running": 'fill="#2f6fb0"',
    "over": 'fill="url(#over)"',
    "paused": 'fill="url(#paused)"',
    "stopped": 'fill="url(#stopped)"',
    "ahead": 'fill="#fff" stroke="#7b8794" stroke-dasharray="3 3"',
    "idle": 'fill="#d5dce3"',
}
_LEGEND: Final = ("working", "closed", "running", "over", "paused", "stopped", "ahead")


def picture(account: Account, language: Language, number: str, metric: str, whose: str | None = None) -> str:
    """The SVG document, 900 pixels wide. `whose`: the kind and the team of a clock that is no customer's."""
    words = words_of(account, language)
    end = _end(account)
    axis = scale(account.calendar, account.reading.trace, account.lines[0].start, end, _LEFT, _RIGHT - _LEFT)
    title = words.sentence("picture_title", number=short(number), metric=words.metric(metric))
    if whose is not None:
        title += words.sentence("picture_of", whose=short(whose))
    closing = words.closing(account)
    about = _wrapped(closing, _RIGHT - 20, 13)
    labels, unlabelled = placed(list(_marks(account, axis, words)), 6, WIDTH - 6, _SIZE)
    lanes = max((one.lane for one in labels), default=0) + 1
    top = 44 + 19 * len(about) + _LANE * lanes + 8
    body = [f'<text class="title" x="20" y="30">{_safe(title)}</text>']
    body += [f'<text class="about" x="20" y="{54 + 19 * n}">{_safe(line)}</text>' for n, line in enumerate(about)]
    hours, clock, target = top, top + 18, top + 58
    for y, height, key in ((hours, 12, "hours"), (clock, 32, "clock"), (target, 18, "target")):
        text = words.sentence(f"row_{key}")
        body.append(
            f'<text class="soft" x="{_n(_LEFT - 8)}" y="{_n(y + height / 2 + 4)}" text-anchor="end">{text}</text>'
        )
    used: set[str] = set()
    over = _overruns(account)
    body += _bars(axis, axis.segments, hours, 12, lambda one: "working" if one.piece.works else "closed", used)
    body += _bars(axis, _split(axis.segments, over), clock, 32, lambda one: _state(one, over), used)
    body += _targets(account, axis, words, target, end)
    for one in sorted(labels, key=lambda one: one.mark.x):
        colour = _COLOURS.get(one.mark.kind, _SOFT)
        y = top - 10 - _LANE * one.lane
        leader = _n(one.mark.x)
        dash = ' stroke-dasharray="4 3"' if "due" in one.mark.kind else ""
        body.append(
            f'<path d="M{leader} {_n(y + 4)}V{_n(clock + 32)}" stroke="{colour}" stroke-width="1.4" fill="none"{dash}/>'
        )
        body.append(_symbol(one.mark.kind, one.mark.x, clock + 16, colour))
    for one in labels:
        y, colour = top - 10 - _LANE * one.lane, _COLOURS.get(one.mark.kind, _INK)
        # Widths are estimates: a text left of its leader ends there, whatever the reader's font makes of it.
        x, anchor = (one.end, ' text-anchor="end"') if one.end <= one.mark.x else (one.start, "")
        text = _safe(one.mark.text)
        body.append(f'<text class="halo" x="{_n(x)}" y="{_n(y)}"{anchor} style="fill:{colour}">{text}</text>')
    foot = target + 18
    body += _days(axis, words, foot)
    body += _legend(words, used, foot + 38)
    note = words.sentence(f"scale_{axis.name}", zone=account.calendar.time_zone)
    if unlabelled:
        note = f"{note} {words.sentence('mark_more', count=unlabelled)}"
    body.append(f'<text class="soft" x="20" y="{_n(foot + 78)}">{_safe(note)}</text>')
    height = int(foot + 92)
    described = words.sentence("picture_about", start=account.lines[0].start, end=end, closing=closing)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
        f' role="img" aria-labelledby="t d" xml:lang="{language}"><title id="t">{_safe(title)}</title>'
        f'<desc id="d">{_safe(described)}</desc><style>{_STYLE}</style><defs>{_PATTERNS}</defs>'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>{"".join(body)}</svg>\n'
    )


def _end(account: Account) -> datetime:
    """Past everything that is marked, and no further: a clock stopped long ago needs no tail."""
    reading = account.reading
    ended = reading.state in ("stopped", "cancelled")
    known = [line.start for line in account.lines if line.end is None and line.kind not in ("withdrawn", "restated")]
    known += [] if ended else [account.as_of]
    known += [due for due in (reading.due, account.due_if_resumed, account.first_due) if due is not None]
    latest = max(known)
    return max(latest, account.lines[0].start + timedelta(seconds=1))


def _marks(account: Account, axis: Scale, words: Words) -> Iterator[Mark]:
    breaches = {line.start for line in account.lines if line.kind in _BREACHES}
    for line in account.lines:
        kind = _MARKED.get(line.kind)
        if kind is not None:
            name, rank = kind
            values = {"percent": line.values["percent"]} if name == "warning" else {}
            yield Mark(axis.x(line.start), words.sentence(f"mark_{name}", at=line.start, **values), name, rank)
    reading, dues = account.reading, []
    due = reading.due or account.due_if_resumed
    if due is not None and due not in breaches and reading.state != "cancelled":
        dues.append(("due", due, 1))
    if account.first_due is not None and account.first_due != due and account.first_due not in breaches:
        dues.append(("first_due", account.first_due, 4))
    if reading.state in ("running", "paused"):
        dues.append(("now", account.as_of, 5))
    for name, at, rank in dues:
        yield Mark(axis.x(at), words.sentence(f"mark_{name}", at=at), name, rank)


_BREACHES: Final = ("breached", "breached_at_once", "breached_provisional", "breached_silent")
_MARKED: Final = {
    **dict.fromkeys(_BREACHES, ("breached", 0)),
    "met": ("met", 2),
    "missed": ("missed", 2),
    "cancelled": ("cancelled", 2),
    "opened": ("opened", 3),
    "opened_without_target": ("opened", 3),
    "warning": ("warning", 6),
    "warning_silent": ("warning", 7),
}


def _overruns(account: Account) -> list[tuple[datetime, datetime]]:
    """From each breach to the target that took its place, or to the end."""
    found: list[tuple[datetime, datetime]] = []
    since: datetime | None = None
    for line in account.lines:
        if line.kind in _BREACHES and since is None:
            since = line.start
        elif line.kind.startswith(("retargeted", "target_agreed")) and since is not None:
            found.append((since, line.start))
            since = None
    return found if since is None else [*found, (since, account.as_of)]


def _split(segments: Sequence[Segment], over: Sequence[tuple[datetime, datetime]]) -> list[Segment]:
    edges = sorted({edge for one in over for edge in one})
    found: list[Segment] = []
    for one in segments:
        inner = [edge for edge in edges if one.start < edge < one.end]
        for start, end in zip([one.start, *inner], [*inner, one.end], strict=True):
            found.append(Segment(start, end, one.interval, one.piece))
    return found


def _state(one: Segment, over: Sequence[tuple[datetime, datetime]]) -> str:
    if one.interval is None:
        return "ahead" if one.piece.works else ""
    if one.interval.state == "paused":
        return "paused"
    if one.interval.state != "running":
        return "stopped"
    if not one.piece.works:
        return "idle"
    return "over" if any(since <= one.start < until for since, until in over) else "running"


def _bars(
    axis: Scale, segments: Sequence[Segment], y: float, height: float, kind_of: Callable[[Segment], str], used: set[str]
) -> list[str]:
    """Neighbours of one kind are one bar; what is too narrow to be seen gets a little width."""
    found = []
    last = 0.0
    for kind, group in groupby(segments, key=kind_of):
        ones = list(group)
        start, end = axis.x(ones[0].start), axis.x(ones[-1].end)
        if not kind or (end - start < 0.4 and start - last < 0.4):
            continue
        used.add(kind)
        top, tall = (y + height / 2 - 2, 4.0) if kind == "idle" else (y, height)
        width = max(end - start, 1.5)
        found.append(f'<rect x="{_n(start)}" y="{_n(top)}" width="{_n(width)}" height="{_n(tall)}" {_FILLS[kind]}/>')
        last = end
    return found


def _targets(account: Account, axis: Scale, words: Words, y: float, end: datetime) -> list[str]:
    changes: list[tuple[datetime, timedelta]] = [
        (line.start, _target(line)) for line in account.lines if _has_target(line)
    ]
    found = []
    for n, (at, target) in enumerate(changes):
        until = changes[n + 1][0] if n + 1 < len(changes) else end
        start, stop = axis.x(at), axis.x(until)
        if stop - start < 1:
            continue
        found.append(
            f'<rect x="{_n(start)}" y="{_n(y)}" width="{_n(stop - start)}" height="18" fill="#fff" stroke="{_SOFT}"/>'
        )
        text = words.duration(target)
        if text_width(text, _SIZE) + 8 <= stop - start:
            found.append(f'<text x="{_n(start + 5)}" y="{_n(y + 13)}">{_safe(text)}</text>')
    return found


def _has_target(line: Line) -> bool:
    return line.kind in ("opened", "target_agreed", "retargeted", "retargeted_paused")


def _target(line: Line) -> timedelta:
    found = line.values["after"] if "after" in line.values else line.values["target"]
    return found if isinstance(found, timedelta) else timedelta(0)


def _days(axis: Scale, words: Words, y: float) -> list[str]:
    """Ticks where local days begin, or hours where there is only one; labels only where there is room."""
    start, end = axis.edges[0].astimezone(words.zone), axis.edges[-1].astimezone(words.zone)
    days = (end.date() - start.date()).days
    ticks: list[tuple[datetime, str]] = []
    if days < 2:
        step = next((hours for hours in (1, 2, 3, 6) if (end - start) / timedelta(hours=hours) <= 12), 12)
        at = start.replace(minute=0, second=0, microsecond=0)
        while at <= end:
            if at >= start and at.hour % step == 0:
                ticks.append((at, words.time(at)))
            at += timedelta(hours=1)
    else:
        step = max(1, days // 60)
        working = {
            at.astimezone(words.zone).date() for one in axis.segments if one.piece.works for at in (one.start, one.end)
        }
        for n in range(0, days + 1, step):
            day = start.date() + timedelta(days=n)
            at = datetime(day.year, day.month, day.day, tzinfo=words.zone)
            if day in working or axis.name.startswith("even"):
                ticks.append((max(at, start), words.day(max(at, start))))
    found, free = [f'<path d="M{_n(_LEFT)} {_n(y + 6)}H{_n(_RIGHT)}" stroke="{_SOFT}" fill="none"/>'], 0.0
    for at, text in ticks:
        x, width = axis.x(at), text_width(text, 11)
        found.append(f'<path d="M{_n(x)} {_n(y + 6)}v5" stroke="{_SOFT}" fill="none"/>')
        begins = min(x, WIDTH - 4 - width)
        if begins >= free:
            found.append(
                f'<text class="soft" x="{_n(begins)}" y="{_n(y + 23)}" style="font-size:11px">{_safe(text)}</text>'
            )
            free = begins + width + 8
    return found


def _symbol(kind: str, x: float, y: float, colour: str) -> str:
    """A shape of its own for each kind of mark."""
    at = f'stroke="{colour}" fill="#fff" stroke-width="1.6"'
    match kind:
        case "breached":
            return f'<path d="M{_n(x - 5)} {_n(y - 5)}l10 10m0 -10l-10 10" stroke="#fff" stroke-width="5"/>' + (
                f'<path d="M{_n(x - 5)} {_n(y - 5)}l10 10m0 -10l-10 10" stroke="{colour}" stroke-width="2.6"/>'
            )
        case "warning":
            return f'<path d="M{_n(x)} {_n(y - 6)}l6 11h-12z" {at}/>'
        case "met" | "missed" | "cancelled":
            return f'<rect x="{_n(x - 5)}" y="{_n(y - 5)}" width="10" height="10" {at}/>'
        case "opened":
            return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="5" {at}/>'
        case _:
            return ""


def _legend(words: Words, used: set[str], y: float) -> list[str]:
    found, x, row = [], 20.0, 0
    for kind in _LEGEND:
        if kind not in used:
            continue
        text = words.sentence(f"legend_{kind}")
        width = 34 + text_width(text, _SIZE)
        if x + width > _RIGHT:
            x, row = 20.0, row + 1
        top = y + 18 * row
        found.append(f'<rect x="{_n(x)}" y="{_n(top)}" width="20" height="11" {_FILLS[kind]}/>')
        found.append(f'<text x="{_n(x + 25)}" y="{_n(top + 10)}">{_safe(text)}</text>')
        x += width + 8
    return found


def _wrapped(text: str, width: float, size: float) -> list[str]:
    """Lines no wider than that; the last ends in an ellipsis where there is more."""
    lines, line = [], ""
    for part in _words(text):
        if line and text_width(line + part, size) > width:
            lines.append(line.strip())
            line = ""
        line += part
    lines.append(line.strip())
    if len(lines) > _MOST_TEXT_LINES:
        lines = [*lines[: _MOST_TEXT_LINES - 1], f"{lines[_MOST_TEXT_LINES - 1]}…"]
    return lines


def _words(text: str) -> Iterator[str]:
    """Where a line may break: after a space, and between Chinese characters but not before their punctuation."""
    part = ""
    for n, one in enumerate(text):
        part += one
        after = text[n + 1] if n + 1 < len(text) else ""
        if one == " " or (ord(one) > 0x2E7F and after not in "，。；：、）" and one != "（"):
            yield part
            part = ""
    yield part


def _safe(text: str) -> str:
    return escape("".join(one for one in text if one.isprintable()), quote=True)


def _n(value: float) -> str:
    """A coordinate with one digit, and no more characters than that needs."""
    return f"{value:.1f}".removesuffix(".0")
