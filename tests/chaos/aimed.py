"""Short runs, each with faults aimed at one planted bug, and the checks of which one has to find it."""

import random
from dataclasses import dataclass
from typing import Final

from tests.chaos.faults import Fault, Kind
from tests.chaos.run import Plan


@dataclass(frozen=True)
class Aim:
    """Which processes take part, what is done every `every` of `seconds` seconds, which checks may find the bug."""

    processes: tuple[str, ...]
    hits: tuple[tuple[Kind, str], ...]
    every: float
    seconds: float
    caught_by: tuple[str, ...]


_ANSWERS: Final = 20
"""Acknowledged commands between two faults: on a busy machine a fault that meets no load would prove nothing."""

_READ = ("read models equal a rebuild", "breaches and warnings: once, none false", "clocks and timers as computed")

AIMS: Final[dict[str, Aim]] = {
    "acknowledge-before-commit": Aim(
        ("incident",), (("kill", "incident"),), 3.5, 11.0, ("commands: in exactly once, or out",)
    ),
    "checkpoint-outside-transaction": Aim(
        ("incident", "sla-1", "reporting"), (("kill", "postgres"),), 1.8, 14.0, _READ
    ),
    "pipelined-relay": Aim(
        ("incident",), (("kill", "nats"), ("wipe", "nats")), 2.5, 7.0, ("the bus equals the stores",)
    ),
    "lease-ignored": Aim(("incident", "sla-1", "sla-2"), (("freeze", "sla-1"),), 100.0, 13.0, ("one leader each",)),
    "stock-batch-loop": Aim(
        ("incident", "sla-1", "reporting"), (("kill", "postgres"), ("kill", "nats")), 2.5, 12.0, _READ
    ),
}


def aimed(planted: str, seed: int) -> Plan:
    """A run with the bug in every process."""
    aim = AIMS[planted]
    rng = random.Random(f"{seed}/{planted}")
    faults: list[Fault] = []
    at = 1.5
    while at < aim.seconds:
        kind, target = aim.hits[len(faults) % len(aim.hits)]
        faults.append(Fault(at, kind, target, _ANSWERS))
        at += aim.every * rng.uniform(0.85, 1.15)
    return Plan(seed, aim.seconds, faults, planted, aim.processes, clients=10, pace=0.1, patience=3.0)
