"""Why an agreement is or is not the one for an incident, in Chinese and in English."""

from typing import Any, Final

from opsledger_events.contexts.sla import AgreementDefined
from sla.domain.selection import Selector, Situation, Verdict, stated
from sla.preview_words import Sentence

_NAMES: Final[dict[Selector, Sentence]] = {
    "team": Sentence("团队", "team"),
    "organisation": Sentence("机构", "organisation"),
    "service": Sentence("服务", "service"),
    "category": Sentence("类别", "category"),
    "criticality": Sentence("重要程度", "criticality"),
    "priorities": Sentence("优先级", "priority"),
}


def sentence(verdict: Verdict, situation: Situation) -> Sentence:
    """Of one candidate."""
    agreement, chosen = verdict.candidate.agreement, verdict.chosen
    if verdict.judgement == "names_another" or chosen is None:
        return _another(agreement, situation, verdict.selectors)
    if verdict.judgement == "chosen":
        return _chosen(agreement, verdict.selectors)
    than = chosen.agreement
    if verdict.judgement == "higher_id":
        return Sentence(
            f"未选用：与“{than.name}”指明的项目相同，标识较小的“{than.name}”优先。",
            f"Not chosen: it names as much as “{than.name}”, and of the two the one with the lower id counts.",
        )
    if verdict.judgement == "more_priorities":
        return Sentence(
            f"未选用：与“{than.name}”指明的项目相同，但优先级范围更宽。",
            f"Not chosen: it names as much as “{than.name}”, and more priorities.",
        )
    more, less = _NAMES[verdict.selectors[0]], _own(agreement, than)
    if less is None:
        return Sentence(
            f"未选用：“{than.name}”更具体，还指明了{more.zh}。",
            f"Not chosen: less specific than “{than.name}”, which names the {more.en} too.",
        )
    return Sentence(
        f"未选用：“{than.name}”指明了{more.zh}，优先于此协议指明的{less.zh}。",
        f"Not chosen: “{than.name}” names the {more.en}, which counts before the {less.en} that this one names.",
    )


def without_target(priority: int) -> Sentence:
    """What follows where the chosen agreement promises nothing for a priority."""
    return Sentence(
        f"它对优先级 {priority} 没有目标，因此不计时。",
        f"It has no target for priority {priority}, so no clock runs.",
    )


def _own(agreement: AgreementDefined, than: AgreementDefined) -> Sentence | None:
    """The most telling selector that it states and the other does not."""
    others = stated(than)
    return next((_NAMES[name] for name in stated(agreement) if name not in others), None)


def _chosen(agreement: AgreementDefined, selectors: tuple[Selector, ...]) -> Sentence:
    if not selectors:
        return Sentence(
            "选用：它适用于所有事件，没有更具体的协议适用于此事件。",
            "Chosen: it is for every incident, and no more specific one is for this incident.",
        )
    values = [_value(agreement, name) for name in selectors]
    return Sentence(
        f"选用：它指明了{'、'.join(value.zh for value in values)}，适用于此事件的协议中没有更具体的。",
        f"Chosen: it names {', '.join(value.en for value in values)}, and none for this incident is more specific.",
    )


def _another(agreement: AgreementDefined, situation: Situation, selectors: tuple[Selector, ...]) -> Sentence:
    zh, en = [], []
    for name in selectors:
        value, found = _value(agreement, name), _found(situation, name)
        zh.append(f"它针对{value.zh}，此事件" + (f"为 {found}" if found else f"没有{_NAMES[name].zh}"))
        en.append(f"it names {value.en}, and this incident has {found or 'none'}")
    return Sentence(f"不适用：{'；'.join(zh)}。", f"Not for it: {'; '.join(en)}.")


def _value(agreement: AgreementDefined, name: Selector) -> Sentence:
    named = _NAMES[name]
    wanted = getattr(agreement, name)
    if name != "priorities":
        return Sentence(f"{named.zh} {wanted}", f"{named.en} {wanted}")
    *first, last = [str(priority) for priority in wanted]
    english = f"{', '.join(first)} or {last}" if first else last
    return Sentence(f"{named.zh} {'、'.join([*first, last])}", f"{named.en} {english}")


def _found(situation: Situation, name: Selector) -> Any:
    return situation.priority if name == "priorities" else getattr(situation, name)
