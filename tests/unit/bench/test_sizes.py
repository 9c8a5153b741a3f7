"""Sizes from the command line."""

import pytest
from bench.sizes import QUICK, Sizes, changed, chosen, quick


def test_a_size_is_changed_by_name() -> None:
    found = chosen(Sizes(), ["relay_backlog=5_000", "command_clients=1,4,16", "bus_seconds=2"])
    assert (found.relay_backlog, found.command_clients, found.bus_seconds) == (5_000, (1, 4, 16), 2.0)
    assert changed(found) == {"relay_backlog": 5_000, "command_clients": (1, 4, 16), "bus_seconds": 2.0}


@pytest.mark.parametrize("text", ["relay_backlog=many", "relay_backlog", "relay_backlog=-1", "command_clients=1,x"])
def test_a_size_that_is_no_number_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=text.partition("=")[0]):
        chosen(Sizes(), [text])


def test_an_unknown_size_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no size 'speed'.*relay_backlog"):
        chosen(Sizes(), ["speed=11"])


def test_the_quick_sizes_are_sizes() -> None:
    assert changed(quick()).keys() <= QUICK.keys()
    assert changed(Sizes()) == {}
