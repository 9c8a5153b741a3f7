"""Bugs that can be planted on purpose, so that the checker of the chaos tests can prove that it would find them.

Owns the only read of the switch. Production settings refuse it.
"""

import os
from enum import Enum
from functools import cache
from typing import Final

SWITCH: Final = "OPSLEDGER_PLANTED_BUG"


class PlantedBug(Enum):
    """Each one breaks exactly one promise of the path of an event."""

    ACKNOWLEDGE_BEFORE_COMMIT = "acknowledge-before-commit"
    CHECKPOINT_OUTSIDE_TRANSACTION = "checkpoint-outside-transaction"
    PIPELINED_RELAY = "pipelined-relay"
    LEASE_IGNORED = "lease-ignored"
    STOCK_BATCH_LOOP = "stock-batch-loop"


@cache
def planted_bug() -> PlantedBug | None:
    """The bug this process was started with, if any; read once.

    Raises:
        ValueError: the switch names no bug; a misspelt one would make a chaos run look clean.
    """
    name = os.environ.get(SWITCH)
    if not name:
        return None
    try:
        return PlantedBug(name)
    except ValueError as error:
        raise ValueError(f"{SWITCH}={name!r}: choose one of {', '.join(bug.value for bug in PlantedBug)}") from error


def planted(name: str) -> bool:
    """Whether the bug of this name is planted in this process.

    Raises:
        ValueError: no bug has this name, in the call or in the environment.
    """
    return planted_bug() is PlantedBug(name)
