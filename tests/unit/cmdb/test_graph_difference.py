"""What came, went and changed between two neighbourhoods."""

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cmdb.graph.difference import Neighbourhood, difference
from cmdb.graph.network import Item, Relation


def item(key: str, **given_: Any) -> Item:
    return replace(Item(f"id-{key}", key, key, "server", "production", "high", "operational"), **given_)


def around(*items: Item, relations: tuple[Relation, ...] = ()) -> Neighbourhood:
    return Neighbourhood({one.id: one for one in items}, relations)


def test_items_come_go_and_change() -> None:
    before = around(item("a", owner_team="dba", attributes='{"port": 1, "engine": "x"}'), item("b"))
    after = around(item("a", owner_team="net", attributes='{"port": 2, "engine": "x"}'), item("c"))
    found = difference(before, after)
    assert [one.key for one in found.appeared] == ["c"]
    assert [one.key for one in found.gone] == ["b"]
    assert [(one.item.key, dict(one.facts)) for one in found.changed] == [
        ("a", {"owner_team": ("dba", "net"), "attributes.port": (1, 2)})
    ]


def test_true_and_1_are_not_the_same_attribute() -> None:
    found = difference(around(item("a", attributes='{"x": 1}')), around(item("a", attributes='{"x": true}')))
    assert dict(found.changed[0].facts) == {"attributes.x": (1, True)}


def test_relations_come_go_and_turn() -> None:
    def relation(target: str, impact: str = "source_depends") -> Relation:
        return Relation("id-a", target, "depends_on", impact)

    found = difference(
        around(relations=(relation("id-b"), relation("id-c"))),
        around(relations=(relation("id-c", "none"), relation("id-d"))),
    )
    assert [one.target for one in found.related] == ["id-d"]
    assert [one.target for one in found.unrelated] == ["id-b"]
    assert [(old.impact, new.impact) for old, new in found.turned] == [("source_depends", "none")]


neighbourhoods = st.builds(
    lambda items, ends: around(
        *(item(key, name=name, attributes=json.dumps({"n": name})) for key, name in items.items()),
        relations=tuple(
            Relation(f"id-{a}", f"id-{b}", "runs_on", "source_depends") for a, b in sorted(ends) if {a, b} <= set(items)
        ),
    ),
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xyz")),
    st.sets(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"))),
)


@given(neighbourhoods, neighbourhoods)
def test_the_difference_back_is_the_difference_the_other_way(before: Neighbourhood, after: Neighbourhood) -> None:
    there, back = difference(before, after), difference(after, before)
    assert (there.appeared, there.related) == (back.gone, back.unrelated)
    assert [one.item.id for one in there.changed] == [one.item.id for one in back.changed]
    same = difference(after, after)
    assert not any((same.appeared, same.gone, same.changed, same.related, same.unrelated, same.turned))
    kept = set(before.items) - {one.id for one in there.gone}
    assert kept | {one.id for one in there.appeared} == set(after.items)
