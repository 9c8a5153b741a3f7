"""The picture: whole, the same every time, told in words too, and no door for whoever names an item."""

import re
import xml.etree.ElementTree as ET
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdb.graph.drawing import CARD, COLOURS, Picture, draw
from cmdb.graph.icons import lines_of, shape_of
from cmdb.graph.layout import lay_out
from cmdb.graph.network import Item, Relation
from cmdb.graph.words import WORDS, cut, safe, width

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "<script>alert(1)</script>",
    '" onload="alert(1)',
    "]]></text><foreignObject/>",
    "&lt;&#0;&amp;",
    "a\x00b\x08c\ufffe",
    "\u202eevil\u2066",
    "{}{0}{name}%s",
    "字" * 5000,
    "e" + "\u0301" * 3000,
    "\ud800",
]


def item(key: str, **given_: Any) -> Item:
    told = {"name": f"名称 {key}", "item_class": "server", "criticality": "high", "lifecycle": "operational", **given_}
    return Item(
        f"id-{key}", key, told["name"], told["item_class"], "production", told["criticality"], told["lifecycle"]
    )


def picture(*items: Item, relations: tuple[Relation, ...] = (), **given_: Any) -> Picture:
    layers = given_.pop("layers", {one.id: number for number, one in enumerate(items)})
    return Picture(items[0].id, {one.id: one for one in items}, layers, relations, **given_)


def depends(source: str, target: str, **given_: Any) -> Relation:
    return Relation(
        f"id-{source}", f"id-{target}", given_.get("relation", "depends_on"), given_.get("impact", "source_depends")
    )


def texts(drawn: str) -> str:
    return " ".join("".join(found.itertext()) for found in ET.fromstring(drawn).iter() if found.tag == f"{SVG}text")  # noqa: S314


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_name_is_text_and_nothing_else(hostile: str) -> None:
    bad = item("a", name=hostile, item_class=hostile, criticality=hostile, lifecycle=hostile)
    drawn = draw(picture(bad, item("b"), relations=(depends("a", "b", relation=hostile),)))
    root = ET.fromstring(drawn.encode())  # noqa: S314
    allowed = {"svg", "title", "desc", "style", "defs", "marker", "path", "rect", "text", "g", "circle", "ellipse"}
    assert {found.tag.removeprefix(SVG) for found in root.iter()} <= allowed
    assert not [name for found in root.iter() for name in found.attrib if name.startswith("on") or "href" in name]
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", drawn)
    assert max(len("".join(found.itertext())) for found in root.iter(f"{SVG}text")) < 250


@given(st.text())
def test_any_text_is_safe_in_xml(text: str) -> None:
    ET.fromstring(f'<a b="{safe(text)}">{safe(text)}</a>')  # noqa: S314


@given(st.text(max_size=80), st.floats(20, 400))
def test_cut_text_fits(text: str, room: float) -> None:
    shown = cut(text, 12, room)
    assert width(shown, 12) <= room
    assert shown == text or shown.endswith("…")


def test_the_same_neighbourhood_gives_the_same_bytes_whatever_its_order() -> None:
    items = [item(key) for key in "abcd"]
    relations = (depends("a", "b"), depends("b", "c"), depends("a", "d", relation="runs_on"))
    layers = {"id-a": 0, "id-b": 1, "id-c": 2, "id-d": 1}
    one = draw(picture(*items, relations=relations, layers=layers))
    items_backwards = {found.id: found for found in reversed(items)}
    other = draw(Picture("id-a", items_backwards, dict(reversed(layers.items())), relations[::-1]))
    assert one == other


def test_it_is_told_in_words_who_is_who() -> None:
    found = picture(
        item("a"), item("b", lifecycle="retired", criticality="low"), relations=(depends("a", "b"),), language="en"
    )
    root = ET.fromstring(draw(found))  # noqa: S314
    assert root.attrib["role"] == "img"
    described = root.findtext(f"{SVG}desc") or ""
    assert "名称 b (b), server, criticality Low, retired" in described
    assert "名称 a → 名称 b: depends on" in described
    assert "名称 a (a)" in (root.findtext(f"{SVG}title") or "")


@pytest.mark.parametrize("criticality", sorted(COLOURS))
def test_criticality_and_retirement_are_words_besides_colours(criticality: str) -> None:
    drawn = draw(picture(item("a", criticality=criticality), item("b", lifecycle="retired"), language="zh"))
    assert WORDS["zh"][criticality] in texts(drawn)
    assert "已退役" in texts(drawn)


def test_what_is_left_out_is_said() -> None:
    assert "只画最近的 1 项" in texts(draw(picture(item("a"), truncated=True)))
    assert "2026-11-22T08:30:00Z" in texts(draw(picture(item("a"), as_of="2026-11-22T08:30:00Z")))


def test_both_languages_have_the_same_words() -> None:
    assert WORDS["zh"].keys() == WORDS["en"].keys()


def test_every_class_has_a_shape() -> None:
    shapes = {
        name: shape_of(name) for name in ("database", "network_switch", "business_service", "quux", "virtual-machine")
    }
    assert shapes == {
        "database": "database",
        "network_switch": "network",
        "business_service": "service",
        "quux": "item",
        "virtual-machine": "server",
    }
    assert shape_of("payroll", is_service=True) == "service"
    assert all(lines_of(shape) for shape in shapes.values())


networks = st.integers(1, 14).flatmap(
    lambda count: st.tuples(
        st.lists(st.integers(-2, 3), min_size=count, max_size=count),
        st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=24, unique=True),
    )
)


@settings(deadline=None, max_examples=120)
@given(networks)
def test_no_two_cards_overlap_and_every_line_goes_layer_by_layer(
    network: tuple[list[int], list[tuple[int, int]]],
) -> None:
    numbers, ends = network
    layers = {str(number): layer for number, layer in enumerate(numbers)}
    lines = [(str(a), str(b)) for a, b in ends if a != b]
    found = lay_out(layers, lines, CARD[1])
    assert {name: place[0] for name, place in found.places.items()} == layers
    assert all(CARD[1] / 2 <= height <= found.height - CARD[1] / 2 + 0.2 for _, height in found.places.values())
    for one, other in combinations(found.places.values(), 2):
        assert one[0] != other[0] or abs(one[1] - other[1]) >= CARD[1]
    for (first, last), bends in zip(lines, found.bends, strict=True):
        a, b = layers[first], layers[last]
        between = range(a + 1, b) if a < b else range(a - 1, b, -1)
        assert [layer for layer, _ in bends] == list(between)


def test_two_chains_are_laid_out_without_a_crossing() -> None:
    layers = {"c": 0, "a1": 1, "a2": 1, "x": 2, "y": 2}
    places = lay_out(layers, [("c", "a1"), ("c", "a2"), ("a1", "y"), ("a2", "x")], CARD[1]).places
    above = places["a1"][1] < places["a2"][1]
    assert (places["y"][1] < places["x"][1]) == above
