"""Which words of a public note promise something to the requester (R18), in Chinese and English. Pure.

A sentence promises where it says that the desk will speak again (`reply`), or that the work will be done
(`completion`). Ambiguous ones make no promise: a missing promise can be recorded by hand, a false one costs trust in
all of them. So none is read from questions, conditions, estimates and negations, from what somebody else says or is
asked to do, from what has been done, and from quotations.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from sla.domain.promise_dues import Said, said_in

Awaited = Literal["reply", "completion"]

MOST_CHARACTERS: Final = 5_000
"""Of a note that are read; a promise further down is recorded by hand."""

_LONGEST_SENTENCE: Final = 800
"""Characters of one sentence that are read, so that no text takes long."""


@dataclass(frozen=True, slots=True)
class Wording:
    """A promise as it was worded; `said`: when it is due, where that was said."""

    awaits: Awaited
    text: str
    said: Said | None = None


@dataclass(frozen=True, slots=True)
class Pattern:
    """Words that promise. `dated`: only where the same words say when it is due."""

    awaits: Awaited
    words: re.Pattern[str]
    dated: bool = False


_TELL_ZH: Final = (
    r"(?:回复|答复|反馈|回电|回访|回话|汇报|告知|告诉|通知|通报|同步|联系|说明|说法|给到|出具|提供|发给|发送)"
)
_TO_YOU: Final = (
    r"(?:再|会|将|先|给|向|与|跟|和|为|您|你|贵方|客户|用户|一个|一次|进一步|电话|邮件|短信|正式|主动|地|做出|作出)"
)
_WILL_ZH: Final = r"(?:(?<!不)(?<!机)(?<!社)会(?!议)|(?<!即)将|承诺|保证|一定)"
_DO_ZH: Final = r"(?:完成|解决|修复|恢复|处理|更换|到场|上门|到达|安装|办结|交付)"
_WILL_EN: Final = (
    r"(?:\b(?:i|we|our (?:\w+ )?(?:engineer|team|colleague)s?|(?:someone|an engineer|a colleague)"
    r"(?: (?:from|of) our team)?)"
    r"(?:['’]ll| will| shall| are going to| am going to| promise to)|^\s*will|\band will)\b"
)
_TELL_EN: Final = (
    r"(?:(?:get|come) back to you|reply(?: to you)?|respond(?: to you)?|answer you"
    r"|(?:call|ring) you(?: back)?|contact you|phone you|e-?mail you|write to you|update you|inform you|let you know"
    r"|follow up with you|report back|reach out to you|be in touch"
    r"|have an (?:answer|update) for you|(?:get|give) you an (?:answer|update)|send you an update)"
)
_DO_EN: Final = (
    r"(?:fix|resolve|solve|complete|repair|restore|replace|finish|be on[ -]site|be there|come|deliver"
    r"|have (?:it|this|that|the \w+(?: \w+)?) \w+)"
)
_DONE_EN: Final = r"(?:fixed|resolved|solved|restored|completed|done|ready|back|repaired|replaced)"
_SOON_EN: Final = r"(?:as soon as possible|asap|shortly|right away)"

PATTERNS: Final = (
    # 确定原因后再回复, 查明后第一时间反馈, 有结果后通知您
    Pattern(
        "reply",
        re.compile(
            r"(?:确定|确认|查明|查清|找到|定位|核实|了解|明确|分析|检查|排查|有(?:了)?(?:结果|结论|进展|消息)|恢复|处理|完成|修复|解决)"
            rf"[^，,]{{0,12}}?之?(?:以?后)[，,]?[^，,]{{0,6}}?(?:尽快|立即|马上|第一时间|及时)?{_TO_YOU}{{0,6}}{_TELL_ZH}"
        ),
    ),
    # 尽快反馈, 稍后回复您, 第一时间与您联系
    Pattern(
        "reply",
        re.compile(
            rf"(?:尽快|尽早|稍后|稍候|稍晚|晚点|晚些时候|马上|立即|立刻|第一时间|随时){_TO_YOU}{{0,6}}{_TELL_ZH}"
        ),
    ),
    # 我们会及时回复您, 将与您联系
    Pattern("reply", re.compile(rf"{_WILL_ZH}[^，,]{{0,16}}?(?:给|向|与|跟|和)?[您你][^，,]{{0,4}}?{_TELL_ZH}")),
    Pattern("reply", re.compile(rf"{_WILL_ZH}[^，,]{{0,16}}?{_TELL_ZH}(?:您|你|贵方)")),
    # 明天上午给您答复, 2小时内反馈, 会在17:00前回复
    Pattern("reply", re.compile(rf"{_TELL_ZH}"), dated=True),
    # 会在17:00完成, 今天内修复
    Pattern("completion", re.compile(rf"{_WILL_ZH}[^，,]{{0,20}}?{_DO_ZH}"), dated=True),
    Pattern("completion", re.compile(rf"(?:内|前)(?:一定|可以|能够?|可)?(?:会|将)?{_DO_ZH}"), dated=True),
    # 我们会尽快处理
    Pattern(
        "completion", re.compile(rf"{_WILL_ZH}[^，,]{{0,4}}?(?:尽快|尽早|马上|立即|第一时间)[^，,]{{0,4}}?{_DO_ZH}")
    ),
    Pattern("reply", re.compile(rf"{_WILL_EN}(?:\s+[\w'’:-]+){{0,8}}?\s+{_TELL_EN}\b")),
    Pattern(
        "reply",
        re.compile(
            r"\bnext update\b"
            r"|\byou(?:['’]ll| will) (?:hear (?:back )?from us|be (?:contacted|informed|updated|called))\b"
        ),
        dated=True,
    ),
    Pattern("completion", re.compile(rf"{_WILL_EN}(?:\s+[\w'’:-]+){{0,5}}?\s+{_DO_EN}\b"), dated=True),
    Pattern(
        "completion",
        re.compile(rf"{_WILL_EN}(?:\s+[\w'’:-]+){{0,5}}?\s+{_DO_EN}\b[^,;]{{0,60}}?\b{_SOON_EN}\b"),
    ),
    Pattern(
        "completion",
        re.compile(rf"(?:^\s*|\b(?:it|this|service|(?:the|your) \w+(?: \w+)?) )will be (?:\w+ )?{_DONE_EN}\b"),
        dated=True,
    ),
)
"""What is looked for, the more telling first."""

_SENTENCE: Final = re.compile(r"[。！!；;\n\r]+|(?<=[?？])|(?<=[a-z\d)])\.(?=\s|$)")
_QUOTED: Final = re.compile(
    r"“[^”\n]{0,500}”|「[^」\n]{0,500}」|『[^』\n]{0,500}』|\"[^\"\n]{0,500}\"|《[^》\n]{0,200}》"
)
_QUESTION: Final = re.compile(
    r"[?？]\s*$|吗\s*$|呢\s*$|请问|能否|可否|是否|能不能|可不可以|什么时候|何时|多久|几点"
    r"|^\s*(?:can|could|will|would|when|should|do|does|is|are|what|how)\b(?!\s+(?:be|get|call|update|contact|reply|respond|fix|inform|let))"
)
_CONDITION: Final = re.compile(
    r"如果|若(?!干)|假如|倘若|万一|要是|的话|除非|如(?:仍|有|需|还|未|无|再)|一旦"
    r"|\b(?:if|unless|in case|whether|should you|provided)\b"
)
_SOMEBODY: Final = re.compile(
    r"(?:客户|用户|报障人|对方|厂商|供应商|第三方|运营商|厂家|贵方|贵司|您|你|他|她|领导)"
    r"[^，,会将]{0,6}?(?:表示|承诺|答应|说(?!明|法)|称|要求|希望|反映|反馈说|提出|催|期望|询问)"
    r"|\b(?:customer|user|client|vendor|supplier|provider|carrier|he|she|they|you|manager)s?\b(?:\s+\w+){0,2}?\s+"
    r"(?:said|says|promised|asked|asks|requested|requests|wants|wanted|expects|expected|told|demands)\b"
)
_NOT_OURS: Final = re.compile(
    r"(?:客户|用户|报障人|对方|厂商|供应商|第三方|运营商|厂家|贵方|贵司|他们?|她们?)(?:方|侧|那边|现场|工程师)?[^，,给与向跟和]{0,4}?"
    r"(?:会|将|今|明|昨|刚|上午|下午|中午|早|晚|后天|周|\d|尽快|稍后|晚点|马上|立即|未|没|已|自行|正在|在)"
    r"|^[^，,]{0,6}?(?:您|你)(?:们)?(?:会|将|今|明|尽快|稍后|可|能|需|应|也)"
    r"|(?:(?<!申)请|烦请|麻烦|劳烦|恳请|盼|望|希望|要求|催促|提醒|建议|需要?|督促|等待?|等候|让|通知)(?!您|你|知)[^，,]{0,8}?"
    r"(?:尽快|尽早|稍后|马上|立即|第一时间|及时|今|明|\d|[会将]|回复|答复|反馈|联系|告知|完成|处理|后再)"
    r"|\b(?:customer|user|client|vendor|supplier|provider|carrier|he|she|they|you)s?"
    r"(?:['’]ll| will| shall| is| are| has| have)\b(?! hear| be (?:contacted|informed|updated|called))"
    r"|\bplease\b|\bkindly\b"
)
_NOT: Final = re.compile(
    r"不(?!久|断|过|便)|无法|没|未|勿|难以|别|并非|\b(?:not|never|no|cannot|without|unable|hardly|nobody)\b|n['’]t\b"
)
_HEDGED: Final = re.compile(
    r"预计|预期|估计|大概|大约|可能|也许|或许|争取|尽量|尽力|应该|应当|计划|打算|力争"
    r"|\b(?:may|might|could|should|would|hope|expect|expected|try|trying|aim|likely|probably|perhaps|maybe|estimated?|plan)\b"
)
_PAST: Final = re.compile(
    r"已(?!知)|曾|上次|之前|此前|刚才|刚刚|过了|了(?:客户|用户|您|你)|(?:完成|解决|修复|恢复|处理|回复|答复|反馈|通知|联系|回访|更换)(?:过|完毕|了)(?![^，,]{0,3}后)"
    r"|昨天|前天|上周|\b(?:already|has been|have been|was|were|did|yesterday|earlier|previously)\b"
)
_OTHERS: Final = re.compile(r"^\s*(?:客户|用户|报障人|对方|厂商|供应商|第三方|运营商|厂家|他|她)")
_OURS: Final = re.compile(r"我|会|将|给|您|你|工程师|承诺|保证|\b(?:i|we|our|will)\b")
"""A clause that names nobody speaks of whom the sentence began with."""
_COMMA: Final = re.compile(r"[，,：]|(?<!\d):(?!\d)")
_VAGUE: Final = re.compile(
    r"月底|月初|年底|下个?月|周末|几天|些天|节后|假期"
    r"|\b(?:next month|weekends?|few days|couple of days|end of the month|holidays?)\b"
)
"""A time that nobody can be held to; the usual one would be too short."""
_MOST_CLAUSES: Final = 3
_LEAD: Final = re.compile(r"(?:我们?|我方|本组|在|于|将|会|最迟|最晚|\s)*")


def wordings_in(text: str) -> list[Wording]:
    """What a note promises, at most one of each kind, in the order of being said."""
    found: dict[Awaited, Wording] = {}
    for sentence in _SENTENCE.split(_unquoted(text[:MOST_CHARACTERS])):
        if not sentence or not sentence.strip() or _QUESTION.search(sentence.lower()):
            continue
        for wording in _in_sentence(sentence.strip()[:_LONGEST_SENTENCE]):
            found.setdefault(wording.awaits, wording)
    return list(found.values())


def _unquoted(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith((">", "|"))]
    return _QUOTED.sub("", "\n".join(lines))


def _in_sentence(sentence: str) -> list[Wording]:
    lower = sentence.lower()
    stop = min((found.start() for found in (_CONDITION.search(lower), _SOMEBODY.search(lower)) if found), default=None)
    found: dict[Awaited, Wording] = {}
    for pattern in PATTERNS:
        if pattern.awaits in found:
            continue
        for match in pattern.words.finditer(lower):
            if stop is not None and stop < match.end():
                break
            start, end = _clause(lower, match.start(), match.end())
            clause = lower[start:end]
            if _OTHERS.search(lower[:start]) and not _OURS.search(clause):
                continue
            if any(spoils.search(clause) for spoils in (_NOT, _HEDGED, _PAST, _NOT_OURS)):
                continue
            said = said_in(clause)
            if said is None and (pattern.dated or _VAGUE.search(clause)):
                continue
            found[pattern.awaits] = Wording(pattern.awaits, sentence[start:end].strip(" ，,"), said)
            break
    return list(found.values())


def _clause(sentence: str, start: int, end: int) -> tuple[int, int]:
    """Where the clause around a match begins and ends; a clause before it that only says when belongs to it."""
    commas = [(found.start(), found.end()) for found in _COMMA.finditer(sentence)]
    begin = max((after for _, after in commas if after <= start), default=0)
    for _ in range(_MOST_CLAUSES):
        if not begin:
            break
        previous = max((after for _, after in commas if after < begin), default=0)
        words = sentence[previous : begin - 1].strip()
        said = said_in(words)
        if said is None or _LEAD.fullmatch(words.replace(said.text.strip(), "", 1).strip()) is None:
            break
        begin = previous
    return begin, min((before for before, _ in commas if before >= end), default=len(sentence))
