"""The priority matrix, cell by cell."""

import pytest

from incident.domain.matrix import priority_of
from opsledger_runtime.errors import Invalid

CELLS = {
    (1, 1): 1,
    (1, 2): 2,
    (1, 3): 3,
    (2, 1): 2,
    (2, 2): 3,
    (2, 3): 4,
    (3, 1): 3,
    (3, 2): 4,
    (3, 3): 5,
}


@pytest.mark.parametrize(("cell", "priority"), CELLS.items())
def test_impact_and_urgency_give_the_priority(cell: tuple[int, int], priority: int) -> None:
    assert priority_of(*cell) == priority


def test_more_impact_or_urgency_never_lowers_the_priority() -> None:
    for (impact, urgency), priority in CELLS.items():
        assert all(CELLS[i, u] <= priority for i, u in CELLS if i <= impact and u <= urgency)


@pytest.mark.parametrize(
    ("impact", "urgency", "pointers"), [(0, 1, ["/impact"]), (1, 4, ["/urgency"]), (-1, 9, ["/impact", "/urgency"])]
)
def test_levels_outside_the_matrix_are_refused_by_name(impact: int, urgency: int, pointers: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        priority_of(impact, urgency)
    assert [error.pointer for error in refused.value.errors] == pointers
