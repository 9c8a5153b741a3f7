"""What a preview says to people, in Chinese and in English: why a clock would have been judged otherwise."""

from datetime import timedelta
from typing import Final, NamedTuple

from opsledger_events.contexts.sla import Metric
from sla.domain.preview import Outcome, Verdict
from sla.preview_findings import Change


class Sentence(NamedTuple):
    """The same in both languages."""

    zh: str
    en: str


NOTE: Final = Sentence(
    "预览不改变任何数据。协议发布后适用于此后启动的时钟；运行中的时钟须另行应用（POST /agreements/{id}/apply）；"
    "已关闭的时钟保持其判定时的版本，不会重算。",
    "A preview changes nothing. Put in force, the agreement is for clocks that start from then on; to those that run it"
    " is applied by POST /agreements/{id}/apply; closed clocks keep the version that they were judged by.",
)
TRUNCATED: Final = Sentence(
    "事件太多：只预览了最新的 {most} 个。请缩短时间范围。",
    "There are more incidents: only the latest {most} were looked at. Narrow the period.",
)
_METRICS: Final[dict[Metric, Sentence]] = {
    "response": Sentence("响应", "response"),
    "contact": Sentence("首次联系", "first contact"),
    "ownership": Sentence("受理", "taking ownership"),
    "workaround": Sentence("临时措施", "workaround"),
    "resolution": Sentence("解决", "resolution"),
}
_VERDICTS: Final[dict[Verdict, Sentence]] = {
    "met": Sentence("达标", "met"),
    "breached": Sentence("超时", "breached"),
    "running": Sentence("仍在计时", "still running"),
    "none": Sentence("不计时", "without a clock"),
}


def sentence(change: Change) -> Sentence:
    """Why, and from which verdict to which."""
    why, metric = _why(change), _METRICS[change.metric]
    before, after = _VERDICTS[change.before.outcome.verdict], _VERDICTS[change.after.verdict]
    return Sentence(
        f"{why.zh}{metric.zh}原为{before.zh}，按草案为{after.zh}。",
        f"{why.en} Its {metric.en} was {before.en}; with the draft it is {after.en}.",
    )


def _why(change: Change) -> Sentence:
    before, after, metric = change.before.outcome, change.after, _METRICS[change.metric]
    match change.reason:
        case "target":
            was, now = _target(before), _target(after)
            return Sentence(f"目标由 {was.zh} 变为 {now.zh}。", f"The target is {now.en} instead of {was.en}.")
        case "working_hours":
            was, now = _elapsed(before), _elapsed(after)
            return Sentence(
                f"工作时间不同：计入 {now.zh}，原为 {was.zh}。",
                f"Other hours count: {now.en} of working time instead of {was.en}.",
            )
        case "pauses":
            was, now = _elapsed(before), _elapsed(after)
            return Sentence(
                f"暂停的原因不同：计入 {now.zh}，原为 {was.zh}。",
                f"Other waits pause the clock: {now.en} of working time instead of {was.en}.",
            )
        case "priority_without_target" if after.verdict == "none":
            return Sentence(
                f"草案没有为其优先级约定{metric.zh}目标。", f"The draft has no {metric.en} target for its priority."
            )
        case "priority_without_target":
            now = _target(after)
            return Sentence(
                f"原协议没有为其优先级约定{metric.zh}目标，草案约定 {now.zh}。",
                f"Its agreement has no {metric.en} target for its priority; the draft promises {now.en}.",
            )
        case "newly_covered":
            now = _target(after)
            return Sentence(
                f"原先没有协议为其计时，草案约定 {now.zh}。",
                f"No agreement gave it a clock; the draft promises {now.en}.",
            )
        case "no_longer_covered":
            return Sentence(
                "草案不再适用于它，可能由另一协议适用。", "The draft is not for it any more; another agreement may be."
            )


def _target(outcome: Outcome) -> Sentence:
    return _duration(timedelta(seconds=outcome.target or 0))


def _elapsed(outcome: Outcome) -> Sentence:
    return _duration(outcome.elapsed or timedelta(0))


def _duration(given: timedelta) -> Sentence:
    """Hours and minutes; seconds below a minute."""
    hours, rest = divmod(given // timedelta(seconds=1), 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [(hours, "小时", "h"), (minutes, "分", "min"), (seconds, "秒", "s")]
    shown = [one for one in parts if one[0]] or parts[2:]
    return Sentence(
        " ".join(f"{count} {zh}" for count, zh, _ in shown), " ".join(f"{count} {en}" for count, _, en in shown)
    )
