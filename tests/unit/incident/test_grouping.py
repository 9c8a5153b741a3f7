"""Given what fails and what depends on what: what is grouped under what, and by which way."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from incident.domain.commands import GroupIncident, OpenIncident, Owner
from incident.domain.decider import DECIDER
from incident.domain.grouping import MOST, Edge, Failing, Network, groupings
from opsledger_events.contexts.incident import (
    IncidentAssigned,
    IncidentCancelled,
    IncidentGrouped,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
)
from opsledger_runtime.testing.decider import given as given_events

OPENED = IncidentOpened(number="INC0000001", title="t", impact=1, urgency=1, priority=1)
GROUP = GroupIncident("parent", "INC0000009", ("shop", "db"))
GROUPED = IncidentGrouped(parent="parent", parent_number="INC0000009", path=["shop", "db"])
RESOLVED = IncidentResolved(responsibility="provider", resolution="r")


def test_r67_an_owner_is_assigned_unless_a_team_is_named() -> None:
    told = OpenIncident("INC0000001", "t", impact=1, urgency=1, owner=Owner("dba", "db-01"))
    owned = given_events(DECIDER).when(told)
    owned.then(OPENED, IncidentAssigned(team="dba", owner_of="db-01"))
    named = given_events(DECIDER).when(replace(told, team="network"))
    named.then(OPENED.model_copy(update={"team": "network"}), IncidentAssigned(team="network"))


def test_what_opens_under_a_known_cause_says_so_from_the_beginning() -> None:
    told = OpenIncident("INC0000001", "t", impact=1, urgency=1, owner=Owner("dba", "shop"), group=GROUP)
    opened = OPENED.model_copy(update={"parent": "parent"})
    state = given_events(DECIDER).when(told)
    state.then(opened, IncidentAssigned(team="dba", owner_of="shop", parent="parent"), GROUPED)
    given_events(DECIDER).when(replace(told, owner=None)).then(opened, GROUPED)
    assert given_events(DECIDER).when(told).state.parent == "parent"


def test_an_open_incident_is_grouped_once() -> None:
    state = given_events(DECIDER, [OPENED]).when(GROUP).then(GROUPED)
    assert (state.parent, state.parent_number) == ("parent", "INC0000009")
    given_events(DECIDER, [OPENED, GROUPED]).when(GroupIncident("other", "INC0000010", ("a", "b"))).then_nothing()


def test_what_is_over_is_not_grouped_and_what_is_back_may_be() -> None:
    given_events(DECIDER, [OPENED, RESOLVED]).when(GROUP).then_nothing()
    given_events(DECIDER, [OPENED, IncidentCancelled(reason="r")]).when(GROUP).then_nothing()
    given_events(DECIDER, [OPENED, RESOLVED, IncidentReopened(reason="r")]).when(GROUP).then(GROUPED)
    given_events(DECIDER).when(GROUP).then_refused("not_found")


def failing(number: int, item: str, *, fresh: bool = True, parent: str | None = None) -> Failing:
    return Failing(f"i{number}", f"INC{number:07d}", item, parent, fresh)


def grouped(incidents: list[Failing], *edges: Edge) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {one.child.incident: (one.parent.incident, one.path) for one in groupings(incidents, Network(edges))}


def test_the_farthest_failure_is_the_cause() -> None:
    chain = (("shop", "app"), ("app", "db"), ("db", "sw"))
    found = grouped([failing(1, "sw", fresh=False), failing(2, "db", fresh=False), failing(3, "shop")], *chain)
    assert found == {"i3": ("i1", ("shop", "app", "db", "sw"))}


def test_of_two_failures_of_an_item_the_first_is_the_cause() -> None:
    two = [failing(2, "db", fresh=False), failing(1, "db", fresh=False)]
    assert grouped([*two, failing(3, "app")], ("app", "db")) == {"i3": ("i1", ("app", "db"))}


def test_what_was_there_goes_to_the_root_of_what_opens() -> None:
    chain = (("shop", "db"), ("db", "sw"))
    found = grouped([failing(1, "shop", fresh=False), failing(2, "sw", fresh=False), failing(3, "db")], *chain)
    assert found == {"i3": ("i2", ("db", "sw")), "i1": ("i2", ("shop", "db", "sw"))}
    kept = [failing(1, "shop", fresh=False, parent="i9"), failing(3, "db")]
    assert grouped(kept, *chain) == {}


def test_so_many_are_grouped_at_once_and_no_more() -> None:
    children = [failing(number, f"s{number}", fresh=False) for number in range(1, MOST + 50)]
    edges = [(one.item, "sw") for one in children]
    found = grouped([*children, failing(9999, "sw")], *edges)
    assert sorted(found) == sorted(one.incident for one in children[:MOST])


names = st.integers(0, 6).map(lambda number: f"x{number}")


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(names, st.booleans(), st.booleans()), max_size=8),
    st.lists(st.tuples(names, names), max_size=14),
)
def test_groups_are_trees_along_real_ways(told: list[tuple[str, bool, bool]], edges: list[Edge]) -> None:
    incidents = [
        failing(number, item, fresh=fresh, parent="elsewhere" if has_parent and not fresh else None)
        for number, (item, fresh, has_parent) in enumerate(told)
    ]
    network = Network(edges)
    plan = groupings(incidents, network)
    parents = {one.incident: one.parent for one in incidents}
    for one in plan:
        assert parents[one.child.incident] is None, "grouped once"
        parents[one.child.incident] = one.parent.incident
        assert (one.path[0], one.path[-1]) == (one.child.item, one.parent.item)
        assert all((a, b) in edges for a, b in pairwise(one.path))
        assert one.child.item != one.parent.item
    for start in parents:
        seen, at = set(), start
        while at in parents and (following := parents[at]) is not None:
            assert at not in seen, "a circle"
            seen.add(at)
            at = following
    # Without a circle of items nothing fresh is left alone that depends on a failure.
    if not any(item in network.dependencies(other) for item, _, _ in told for other in network.dependencies(item)):
        failed = {one.item for one in incidents}
        for incident in incidents:
            if incident.fresh and failed & network.dependencies(incident.item).keys():
                assert parents[incident.incident] is not None
