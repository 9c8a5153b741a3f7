"""A picture of an item's neighbourhood as SVG: what depends on it to the left, what it depends on to the right. Pure.

The same neighbourhood gives the same bytes. Class is a shape and a name, criticality a colour and a word, a retired
item is grey, dashed and says so: nothing is told by colour alone. No script, no link, no font or picture from outside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from cmdb.graph.icons import lines_of, shape_of
from cmdb.graph.layout import Layout, lay_out
from cmdb.graph.network import Item, Relation
from cmdb.graph.words import Language, cut, numbered, safe, width, word

CARD: Final = (256.0, 52.0)
_BETWEEN: Final = 92.0
_MARGIN: Final = 32.0
_HEAD: Final = 116.0
_FOOT: Final = 84.0
_LEAST: Final = 720.0

COLOURS: Final[dict[str, tuple[str, str]]] = {
    "critical": ("#b42318", "#fef3f2"),
    "high": ("#b54708", "#fffaeb"),
    "medium": ("#175cd3", "#eff8ff"),
    "low": ("#475467", "#f2f4f7"),
}
"""Of a criticality: for lines and words (at least 4.5 : 1 on white), and behind them."""
_GREY: Final = ("#667085", "#f9fafb")

_DASHES: Final[dict[str, str]] = {"runs_on": "9 4", "part_of": "2 3", "connected_to": "2 5", "backs_up": "9 3 2 3"}

_STYLE: Final = """
text{font-family:"Noto Sans CJK SC","Source Han Sans SC","PingFang SC","Microsoft YaHei",\
"WenQuanYi Micro Hei",system-ui,sans-serif;fill:#101828}
.t{font-size:20px;font-weight:600}.s{font-size:13px;fill:#475467}.c{font-size:12px;fill:#475467;font-weight:600}
.n{font-size:13px;font-weight:600}.k{font-size:11px;fill:#475467}.p{font-size:10.5px;font-weight:600}
.l{font-size:11.5px;fill:#344054}.e{fill:none;stroke:#667085;stroke-width:1.4}.x{stroke:#98a2b3}
.i{fill:none;stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}.g text{fill:#667085}
"""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn. `layers` by item id: negative for what depends on the centre, positive for what that depends on.

    `classes` gives the shown name of a class and whether it is a business service; `as_of` is an instant in words.
    """

    centre: str
    items: Mapping[str, Item]
    layers: Mapping[str, int]
    relations: Sequence[Relation]
    direction: str = "both"
    depth: int = 2
    as_of: str | None = None
    truncated: bool = False
    language: Language = "zh"
    classes: Mapping[str, tuple[str, bool]] = field(default_factory=dict)


def draw(picture: Picture) -> str:
    """The picture as an SVG document, in UTF-8 when encoded."""
    items = sorted(picture.items.values(), key=lambda item: (picture.layers[item.id], item.key, item.id))
    relations = sorted(
        (one for one in picture.relations if one.source in picture.items and one.target in picture.items),
        key=lambda one: (one.source, one.target, one.relation),
    )
    layout = lay_out({item.id: picture.layers[item.id] for item in items}, [one.ends for one in relations], CARD[1])
    first = min(picture.layers.values())
    columns = max(picture.layers.values()) - first + 1
    across = max(_LEAST, 2 * _MARGIN + columns * CARD[0] + (columns - 1) * _BETWEEN)
    indent = (across - columns * CARD[0] - (columns - 1) * _BETWEEN) / 2
    down = _HEAD + layout.height + _FOOT

    def left(layer: int) -> float:
        return indent + (layer - first) * (CARD[0] + _BETWEEN)

    ports = _ports(layout, relations)
    lines = [
        _line(picture, one, [(left(at), height + _HEAD) for at, height in way], ports[number])
        for number, (one, way) in enumerate(zip(relations, _ways(layout, relations), strict=True))
    ]
    cards = []
    for item in items:
        layer, height = layout.places[item.id]
        cards.append(_card(picture, item, left(layer), _HEAD + height - CARD[1] / 2))
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{across:.0f}" height="{down:.0f}" '
            f'viewBox="0 0 {across:.0f} {down:.0f}" role="img" aria-labelledby="title desc" '
            f'xml:lang="{"zh-CN" if picture.language == "zh" else "en"}">',
            *_told(picture, items, relations),
            f"<style>{_STYLE}</style>",
            '<defs><marker id="a" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0 .6 8 4 0 7.4z" fill="#667085"/></marker></defs>',
            f'<rect width="{across:.0f}" height="{down:.0f}" fill="#fff"/>',
            *_heading(picture, items, relations, across),
            *(_column(picture, layer, left(layer)) for layer in sorted(set(picture.layers.values()))),
            f'<g class="e">{"".join(lines)}</g>',
            *cards,
            *_legend(picture, items, relations, down),
            "</svg>\n",
        )
    )


def _told(picture: Picture, items: Sequence[Item], relations: Sequence[Relation]) -> list[str]:
    """Title and description: what somebody hears who cannot see it."""
    named = {item.id: item.name for item in items}
    centre = picture.items[picture.centre]
    told = [_described(picture, item) for item in items]
    told += [_edge(picture, one, named) for one in relations]
    heading = word(picture.language, "heading", name=f"{centre.name} ({centre.key})")
    return [f'<title id="title">{safe(heading)}</title>', f'<desc id="desc">{safe("; ".join(told))}</desc>']


def _described(picture: Picture, item: Item) -> str:
    return word(
        picture.language,
        "described",
        name=item.name,
        key=item.key,
        item_class=_class_name(picture, item),
        criticality=word(picture.language, item.criticality),
        lifecycle=word(picture.language, item.lifecycle),
    )


def _edge(picture: Picture, one: Relation, named: Mapping[str, str]) -> str:
    dependent, dependency = one.ends
    relation = word(picture.language, one.relation)
    if not one.depends:
        relation += f" ({word(picture.language, 'no_impact')})"
    return word(picture.language, "edge", dependent=named[dependent], dependency=named[dependency], relation=relation)


def _class_name(picture: Picture, item: Item) -> str:
    return picture.classes.get(item.item_class, (item.item_class, False))[0]


def _heading(picture: Picture, items: Sequence[Item], relations: Sequence[Relation], across: float) -> list[str]:
    language, centre = picture.language, picture.items[picture.centre]
    direction = "both" if picture.direction == "both" else f"only_{picture.direction}"
    summary = word(
        language,
        "summary",
        direction=word(language, direction),
        depth=picture.depth,
        items=len(items),
        relations=len(relations),
    )
    parts = [summary]
    if picture.as_of is not None:
        parts.append(numbered(language, "as_of", picture.as_of))
    if picture.truncated:
        parts.append(numbered(language, "more", len(items)))
    room = across - 2 * _MARGIN
    return [
        f'<text class="t" x="{_MARGIN:.0f}" y="44">{safe(cut(f"{centre.name} · {centre.key}", 20, room))}</text>',
        f'<text class="s" x="{_MARGIN:.0f}" y="66">{safe(cut(" · ".join(parts), 13, room))}</text>',
    ]


def _column(picture: Picture, layer: int, x: float) -> str:
    if layer == 0:
        heading = word(picture.language, "centre")
    else:
        heading = numbered(picture.language, "dependents" if layer < 0 else "dependencies", abs(layer))
    middle = x + CARD[0] / 2
    return f'<text class="c" x="{middle:.1f}" y="{_HEAD - 18:.0f}" text-anchor="middle">{safe(heading)}</text>'


def _card(picture: Picture, item: Item, x: float, y: float) -> str:
    language, (wide, tall) = picture.language, CARD
    retired = item.lifecycle == "retired"
    line, ground = _GREY if retired else COLOURS.get(item.criticality, _GREY)
    centre = item.id == picture.centre
    class_name = _class_name(picture, item)
    words = [word(language, item.criticality)]
    if item.lifecycle != "operational":
        words.insert(0, word(language, item.lifecycle))
    pill = cut(" · ".join(words), 10.5, 110)
    pill_wide = width(pill, 10.5) + 14
    room = wide - 52
    below = cut(f"{item.key} · {class_name}", 11, room - pill_wide - 8)
    shape = shape_of(item.item_class, picture.classes.get(item.item_class, ("", False))[1])
    border = ' stroke-dasharray="5 3"' if retired else ""
    ring = (
        f'<rect x="-5" y="-5" width="{wide + 10:.0f}" height="{tall + 10:.0f}" rx="12" fill="none" '
        f'stroke="{line}" stroke-width="2"/>'
        if centre
        else ""
    )
    return (
        f'<g transform="translate({x:.1f} {y:.1f})"{" class=" + chr(34) + "g" + chr(34) if retired else ""}>'
        f"<title>{safe(_described(picture, item))}</title>{ring}"
        f'<rect width="{wide:.0f}" height="{tall:.0f}" rx="8" fill="#fff" stroke="{line}"{border}/>'
        f'<path d="M8 .5h32v{tall - 1:.0f}H8A7.5 7.5 0 0 1 .5 {tall - 8:.0f}V8A7.5 7.5 0 0 1 8 .5" '
        f'fill="{ground}"/>'
        f'<g class="i" stroke="{line}" transform="translate(8.5 {tall / 2 - 12:.0f})">{lines_of(shape)}</g>'
        f'<text class="n" x="48" y="21">{safe(cut(item.name, 13, room))}</text>'
        f'<text class="k" x="48" y="40">{safe(below)}</text>'
        f'<rect x="{wide - pill_wide - 7:.1f}" y="28" width="{pill_wide:.1f}" height="17" rx="8.5" fill="{ground}" '
        f'stroke="{line}" stroke-width=".8"/>'
        f'<text class="p" x="{wide - pill_wide / 2 - 7:.1f}" y="40.3" text-anchor="middle" style="fill:{line}">'
        f"{safe(pill)}</text></g>"
    )


def _ways(layout: Layout, relations: Sequence[Relation]) -> list[list[tuple[int, float]]]:
    """Of each relation: its dependent, its bends, its dependency."""
    return [
        [layout.places[one.ends[0]], *bends, layout.places[one.ends[1]]]
        for one, bends in zip(relations, layout.bends, strict=True)
    ]


def _ports(layout: Layout, relations: Sequence[Relation]) -> list[tuple[float, float]]:
    """How far from the middle of its card each line leaves and arrives, so that many do not meet in one point."""
    sides: dict[tuple[str, bool], list[tuple[float, int, int]]] = {}
    for number, way in enumerate(_ways(layout, relations)):
        for end, (item, here, beside) in enumerate(
            ((relations[number].ends[0], way[0], way[1]), (relations[number].ends[1], way[-1], way[-2]))
        ):
            rightwards = beside[0] >= here[0]
            sides.setdefault((item, rightwards), []).append((beside[1], number, end))
    found = [[0.0, 0.0] for _ in relations]
    for lines in sides.values():
        apart = min(9.0, (CARD[1] - 16) / len(lines))
        for place, (_, number, end) in enumerate(sorted(lines)):
            found[number][end] = round((place - (len(lines) - 1) / 2) * apart, 1)
    return [(leaves, arrives) for leaves, arrives in found]


def _line(picture: Picture, one: Relation, way: Sequence[tuple[float, float]], ports: tuple[float, float]) -> str:
    wide = CARD[0]
    (x1, y1), (x2, y2) = way[0], way[-1]
    y1, y2 = y1 + ports[0], y2 + ports[1]
    if x1 == x2:
        bulge = x1 + wide + min(_BETWEEN - 20, 26 + abs(y2 - y1) / 12)
        d = f"M{x1 + wide:.1f} {y1:.1f}C{bulge:.1f} {y1:.1f} {bulge:.1f} {y2:.1f} {x2 + wide:.1f} {y2:.1f}"
    else:
        out, into = (wide, 0.0) if x2 > x1 else (0.0, wide)
        d = f"M{x1 + out:.1f} {y1:.1f}"
        points = [(x1 + out, y1)]
        for x, y in way[1:-1]:
            points += [(x + wide - out, y), (x + out, y)]
        points.append((x2 + into, y2))
        for number, ((ax, ay), (bx, by)) in enumerate(pairwise(points)):
            middle = (ax + bx) / 2
            straight = number % 2 == 1  # across the column of a bend
            d += f"H{bx:.1f}" if straight else f"C{middle:.1f} {ay:.1f} {middle:.1f} {by:.1f} {bx:.1f} {by:.1f}"
    dashes = f' stroke-dasharray="{_DASHES[one.relation]}"' if one.relation in _DASHES else ""
    named = {item.id: item.name for item in (picture.items[one.source], picture.items[one.target])}
    faint, arrow = ("", ' marker-end="url(#a)"') if one.depends else (' class="x"', "")
    return f'<path{faint} d="{d}"{dashes}{arrow}><title>{safe(_edge(picture, one, named))}</title></path>'


def _legend(picture: Picture, items: Sequence[Item], relations: Sequence[Relation], down: float) -> list[str]:
    """Only what occurs."""
    language, parts = picture.language, []
    x, y = _MARGIN, down - 46
    parts.append(f'<path d="M{x:.0f} {y - 20:.0f}h120" stroke="#d0d5dd"/>')
    for level in [level for level in COLOURS if any(item.criticality == level for item in items)]:
        line, ground = COLOURS[level]
        parts.append(
            f'<rect x="{x:.1f}" y="{y - 9:.0f}" width="12" height="12" rx="3" fill="{ground}" stroke="{line}"/>'
        )
        parts.append(f'<text class="l" x="{x + 18:.1f}" y="{y + 1:.0f}">{word(language, level)}</text>')
        x += 18 + width(word(language, level), 11.5) + 22
    x, y = _MARGIN, down - 22
    for relation in sorted({one.relation for one in relations}):
        shown = cut(word(language, relation), 11.5, 120)
        dashes = f' stroke-dasharray="{_DASHES[relation]}"' if relation in _DASHES else ""
        arrow = ' marker-end="url(#a)"' if any(one.relation == relation and one.depends for one in relations) else ""
        parts.append(f'<path class="e" d="M{x:.1f} {y - 4:.1f}h34"{dashes}{arrow}/>')
        parts.append(f'<text class="l" x="{x + 42:.1f}" y="{y:.0f}">{safe(shown)}</text>')
        x += 42 + width(shown, 11.5) + 22
    return parts
