"""Which relations may be, and that none leads in a circle, in whatever order they come."""

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from cmdb.domain.commands import End, RelateItems, UnrelateItems
from cmdb.domain.relations import BUILT_IN, KINDS, RELATION
from cmdb.relating import Edge, Standing
from cmdb.seed import BUILT_IN as SEEDED
from opsledger_events.contexts.cmdb import ConfigurationItemsRelated, ConfigurationItemsUnrelated
from opsledger_runtime.errors import RuleViolated
from opsledger_runtime.testing.decider import given

APP, DB = End("1", "shop", "application"), End("2", "db", "database")
RELATED = ConfigurationItemsRelated(
    source="1", source_key="shop", target="2", target_key="db", relation="depends_on", impact="source_depends"
)
UNRELATED = ConfigurationItemsUnrelated(**RELATED.model_dump(), reason="moved")


def test_a_relation_begins_ends_and_begins_again() -> None:
    command = RelateItems("depends_on", APP, DB)
    given(RELATION).when(command).then(RELATED)
    given(RELATION, [RELATED]).when(command).then_nothing()
    given(RELATION, [RELATED]).when(UnrelateItems("moved")).then(UNRELATED)
    given(RELATION, [RELATED, UNRELATED]).when(UnrelateItems()).then_nothing()
    given(RELATION, [RELATED, UNRELATED]).when(command).then(RELATED)
    given(RELATION).when(UnrelateItems()).then_refused("not_found")


def test_nothing_is_related_to_itself_or_against_its_class() -> None:
    given(RELATION).when(RelateItems("depends_on", APP, APP)).then_refused("not_to_itself")
    given(RELATION).when(RelateItems("runs_on", DB, APP)).then_refused("classes_do_not_go_together")


def test_the_rules_speak_of_the_classes_that_are_seeded() -> None:
    assert {one.key for one in SEEDED} == BUILT_IN
    named = {one for kind in KINDS.values() for pair in kind.pairs for side in pair for one in side}
    assert named <= BUILT_IN
    assert all(kind.one_target is None or kind.one_target <= BUILT_IN for kind in KINDS.values())


@pytest.mark.parametrize("relation", ["runs_on", "part_of"])
@examples(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=40))
def test_no_relation_that_is_let_in_leads_in_a_circle(relation: str, pairs: list[tuple[int, int]]) -> None:
    standing = Standing()
    let_in: dict[int, set[int]] = {}
    for source, target in pairs:
        if source == target:
            continue
        edge = Edge(relation, str(source), str(target))  # type: ignore[arg-type]
        circle = _reaches(let_in, target, source)
        second = relation == "part_of" and bool(let_in.get(source, set()) - {target})
        rule = None
        try:
            standing.check(edge, End(edge.source, "", "sensor"), End(edge.target, "", "sensor"))
        except RuleViolated as refusal:
            rule = refusal.rule
        assert rule == ("one_target_only" if second else "no_circle" if circle else None)
        if rule is None:
            standing.add(edge)
            let_in.setdefault(source, set()).add(target)


def _reaches(edges: dict[int, set[int]], start: int, goal: int) -> bool:
    reached = {start}
    for _ in range(8):
        reached |= {target for one in reached for target in edges.get(one, ())}
    return goal in reached
