"""Text in a picture: safe in XML whatever it holds, cut to the width it may take, and the picture's own words. Pure."""

import re
import unicodedata
from typing import Final, Literal
from xml.sax.saxutils import escape

Language = Literal["zh", "en"]

_UNFIT: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f]")
_TURNING: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_NARROW: Final = frozenset("iljtfrI.,:;'|!()[]{} -/\\")
_BROAD: Final = frozenset("mwMW@%&")

WORDS: Final[dict[Language, dict[str, str]]] = {
    "zh": {
        "dependents": "受其影响 · 相隔 {}",
        "dependencies": "其所依赖 · 相隔 {}",
        "centre": "本项",
        "heading": "{name} 的依赖关系",
        "both": "上下游",
        "only_dependents": "仅受其影响者",
        "only_dependencies": "仅其所依赖者",
        "summary": "{direction} · 深度 {depth} · {items} 项 · {relations} 条关系",
        "as_of": "截至 {}",
        "more": "项目过多，只画最近的 {} 项。",
        "critical": "关键",
        "high": "高",
        "medium": "中",
        "low": "低",
        "planned": "规划中",
        "in_stock": "库存",
        "operational": "在用",
        "retired": "已退役",
        "depends_on": "依赖",
        "runs_on": "运行于",
        "part_of": "属于",
        "connected_to": "连接",
        "backs_up": "备份",
        "no_impact": "无影响",
        "edge": "{dependent} → {dependency}：{relation}",
        "described": "{name}（{key}），{item_class}，重要程度{criticality}，{lifecycle}",
    },
    "en": {
        "dependents": "Depend on it · {} away",
        "dependencies": "It depends on · {} away",
        "centre": "This item",
        "heading": "Dependencies of {name}",
        "both": "both ways",
        "only_dependents": "what depends on it",
        "only_dependencies": "what it depends on",
        "summary": "{direction} · depth {depth} · {items} items · {relations} relations",
        "as_of": "as of {}",
        "more": "Too many: only the nearest {} are drawn.",
        "critical": "Critical",
        "high": "High",
        "medium": "Medium",
        "low": "Low",
        "planned": "planned",
        "in_stock": "in stock",
        "operational": "operational",
        "retired": "retired",
        "depends_on": "depends on",
        "runs_on": "runs on",
        "part_of": "part of",
        "connected_to": "connected to",
        "backs_up": "backs up",
        "no_impact": "no impact",
        "edge": "{dependent} → {dependency}: {relation}",
        "described": "{name} ({key}), {item_class}, criticality {criticality}, {lifecycle}",
    },
}


def word(language: Language, name: str, /, **given: object) -> str:
    """The picture's own word, or `name` itself where it has none."""
    found = WORDS[language].get(name, name)
    return found.format(**given) if given else found


def numbered(language: Language, name: str, number: object) -> str:
    """As `word`, for one that takes a number or an instant."""
    return WORDS[language][name].format(number)


def safe(text: str) -> str:
    """Text as XML holds it: markup escaped, characters that XML forbids or that turn the writing replaced."""
    clean = _TURNING.sub("\N{REPLACEMENT CHARACTER}", _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text))
    return escape(clean, {'"': "&quot;", "'": "&#39;"})


def width(text: str, size: float) -> float:
    """About how many pixels wide it is in a sans-serif of `size` pixels; rather too wide than too narrow."""
    return sum(_ems(character) for character in text) * size


def cut(text: str, size: float, room: float) -> str:
    """As much of it as fits into `room` pixels, with an ellipsis where it did not."""
    if width(text, size) <= room:
        return text
    left = room - width("…", size)
    kept = 0
    for character in text:
        left -= _ems(character) * size
        if left < 0:
            break
        kept += 1
    return text[:kept].rstrip() + "…"


def _ems(character: str) -> float:
    if unicodedata.combining(character):
        return 0.15  # takes no room, but a tower of them would be no label
    if unicodedata.east_asian_width(character) in "WFA":
        return 1.0
    if character in _NARROW:
        return 0.36
    if character in _BROAD:
        return 0.92
    return 0.7 if character.isupper() else 0.57
