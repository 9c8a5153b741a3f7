"""The cases, one module each; a module exports `CASE`."""

from importlib import import_module
from typing import Final

from bench.case import Case

NAMES: Final = (
    "command",
    "commit_to_bus",
    "relay",
    "projection",
    "reactor",
    "timers",
    "clocks",
    "alerts",
    "queries",
    "size",
)
"""In the order in which they run."""


def case(name: str) -> Case:
    """The case of that name, loaded when it is first asked for.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    found = import_module(f"bench.cases.{name}").CASE
    if not isinstance(found, Case):
        raise TypeError(f"bench.cases.{name}.CASE is no Case")
    return found
