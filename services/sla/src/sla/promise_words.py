"""A promise in one sentence, in Chinese and in English: who promised what, when it is due, what became of it."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from sla.domain.promise import Reading
from sla.domain.promise_state import PromiseState


class Sentence(NamedTuple):
    """The same in both languages."""

    zh: str
    en: str


_KEPT_BY: Final[dict[str, Sentence]] = {
    "reply": Sentence("（回复用户即兑现）", " by word to the requester"),
    "return": Sentence("（继续处理即兑现）", " by going on with the work"),
    "completion": Sentence("（解决即兑现）", " by the resolution"),
    "other": Sentence("", ""),
}
_LONGEST_QUOTE: Final = 120


def sentence(state: PromiseState, reading: Reading, zone: ZoneInfo) -> Sentence:
    """What is known as of the reading; times are local ones of `zone`."""
    parts = [_made(state, reading, zone)]
    if reading.previous:
        was = _shown(reading.previous[0], zone)
        parts.append(Sentence(f"原定 {was}，后与用户改期", f"it was first due at {was} and moved by agreement"))
    if state.reminded_at is not None and state.reminded_at <= (reading.settled_at or state.reminded_at):
        reminded = _shown(state.reminded_at, zone)
        parts.append(Sentence(f"{reminded} 已提醒", f"a reminder was sent at {reminded}"))
    parts.append(_outcome(reading, zone))
    return Sentence("；".join(one.zh for one in parts) + "。", "; ".join(one.en for one in parts) + ".")


def _made(state: PromiseState, reading: Reading, zone: ZoneInfo) -> Sentence:
    quote = state.text if len(state.text) <= _LONGEST_QUOTE else state.text[: _LONGEST_QUOTE - 1] + "…"
    zh_quote, en_quote = (f"：“{quote}”", f": “{quote}”") if quote else ("", "")
    zh_usual, en_usual = (
        ("（未说明时间，按默认时限）", " (the usual time, none was said)") if state.due_by_default else ("", "")
    )
    made, due, kept = _shown(reading.made_at, zone), _shown(reading.due, zone), _KEPT_BY[state.awaits]
    zh_owner = f"由 {reading.owner} 负责" if reading.owner else "由处理组负责"
    en_owner = f"owed by {reading.owner}" if reading.owner else "owed by the team"
    return Sentence(
        f"{state.promised_by} 于 {made} 承诺{zh_quote}，{zh_owner}，应在 {due} 前兑现{kept.zh}{zh_usual}",
        f"{state.promised_by} promised at {made}{en_quote}, {en_owner}, due at {due}{kept.en}{en_usual}",
    )


def _outcome(reading: Reading, zone: ZoneInfo) -> Sentence:
    settled = "" if reading.settled_at is None else _shown(reading.settled_at, zone)
    broken = reading.broken_at is not None
    match reading.state:
        case "open":
            return Sentence("尚未到期", "not due yet")
        case "broken":
            return Sentence("到期未兑现，已失约", "it passed unkept: broken")
        case "kept" if broken:
            late = _duration(reading.late_seconds)
            return Sentence(
                f"到期未兑现，已失约；{settled} 补上，迟了 {late.zh}", f"broken; kept late at {settled}, by {late.en}"
            )
        case "kept":
            return Sentence(f"{settled} 按时兑现", f"kept in time at {settled}")
        case _:
            return Sentence(
                f"{settled} 撤销" + ("，此前已失约" if broken else ""),
                f"withdrawn at {settled}" + (", broken before" if broken else ""),
            )


def _shown(at: datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    offset = f"{local:%z}"
    return f"{local:%Y-%m-%d %H:%M} {offset[:3]}:{offset[3:5]}"


def _duration(seconds: int) -> Sentence:
    minutes = timedelta(seconds=seconds) // timedelta(minutes=1)
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    parts = [(days, "天", "d"), (hours, "小时", "h"), (minutes, "分", "min")]
    shown = [one for one in parts if one[0]]
    if not shown:
        return Sentence("不到 1 分", "less than a minute")
    return Sentence(
        " ".join(f"{count} {zh}" for count, zh, _ in shown), " ".join(f"{count} {en}" for count, _, en in shown)
    )
