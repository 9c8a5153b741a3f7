"""Derived identifiers are those of RFC 9562, whoever computes them."""

from uuid import RFC_4122, UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from opsledger_runtime import ids


@given(st.uuids(), st.integers(0, 1000))
def test_an_event_id_is_the_uuidv5_of_its_command_and_place(command: UUID, ordinal: int) -> None:
    assert ids.event_id(command, ordinal) == uuid5(command, str(ordinal))


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8")), min_size=1, max_size=3))
def test_a_derived_id_is_a_uuidv5_of_its_parts(parts: list[str]) -> None:
    found = ids.derived_id(*parts)
    assert found == uuid5(ids.NAMESPACE, "\n".join(parts))
    assert (found.version, found.variant) == (5, RFC_4122)
