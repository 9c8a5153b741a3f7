"""Walking the network: everything that can be reached, by a shortest way, and an end to every cycle."""

from hypothesis import given, settings
from hypothesis import strategies as st

from cmdb.graph.network import Item, Relation, Step, Walk

Edges = list[tuple[int, int, str]]


def item(key: str) -> Item:
    return Item(f"id-{key}", key, f"名称 {key}", "server", "production", "high", "operational")


def walked(edges: Edges, start: int, depth: int | None = None, most: int = 10_000) -> Walk:
    """Fed as a database would: all steps from the frontier, in any order."""
    walk = Walk(item(str(start)), depth, most)
    while walk.frontier:
        at = {int(one.removeprefix("id-")) for one in walk.frontier}
        steps: list[Step] = [(f"id-{a}", kind, f"id-{b}", str(b)) for a, b, kind in edges if a in at]
        walk.take(reversed(steps))
    return walk


def every_way(edges: Edges, start: int, longest: int) -> dict[int, list[tuple[tuple[str, ...], tuple[str, ...]]]]:
    """The naive oracle: all ways without a repeated item, by where they end."""
    found: dict[int, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}

    def go(path: tuple[int, ...], kinds: tuple[str, ...]) -> None:
        found.setdefault(path[-1], []).append((tuple(str(one) for one in path), kinds))
        if len(kinds) < longest:
            for a, b, kind in edges:
                if a == path[-1] and b not in path:
                    go((*path, b), (*kinds, kind))

    go((start,), ())
    return found


edges_of_seven = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.sampled_from(["depends_on", "runs_on"])), max_size=14
)


@settings(deadline=None, max_examples=150)
@given(edges_of_seven, st.integers(0, 6), st.one_of(st.none(), st.integers(1, 4)))
def test_a_walk_reaches_what_all_ways_reach_by_the_first_of_the_shortest(
    edges: Edges, start: int, depth: int | None
) -> None:
    walk = walked(edges, start, depth)
    ways = every_way(edges, start, 7 if depth is None else depth)
    shortest = {end: min(found, key=lambda way: (len(way[1]), way)) for end, found in ways.items()}
    assert {one.key: (one.path, one.relations) for one in walk.reached.values()} == {
        str(end): way for end, way in shortest.items()
    }
    assert all(one.distance == len(one.relations) for one in walk.reached.values())
    assert not walk.truncated
    distances = [one.distance for one in walk.others()]
    assert distances == sorted(distances)


def test_a_cycle_ends_and_the_start_is_not_reached_again() -> None:
    walk = walked([(1, 2, "depends_on"), (2, 3, "depends_on"), (3, 1, "depends_on"), (2, 2, "part_of")], 1)
    assert [(one.key, one.distance) for one in walk.others()] == [("2", 1), ("3", 2)]


def test_a_walk_that_is_full_says_so_and_keeps_the_nearest() -> None:
    star = [(0, leaf, "runs_on") for leaf in range(1, 6)] + [(1, 6, "runs_on")]
    walk = walked(star, 0, most=3)
    assert walk.truncated
    assert [one.key for one in walk.others()] == ["1", "2", "3"]
    exact = walked(star[:3], 0, most=3)
    assert not exact.truncated


def test_a_relation_says_by_its_impact_who_depends() -> None:
    assert Relation("a", "b", "depends_on", "source_depends").ends == ("a", "b")
    assert Relation("a", "b", "backs_up", "target_depends").ends == ("b", "a")
    assert not Relation("a", "b", "connected_to", "none").depends
