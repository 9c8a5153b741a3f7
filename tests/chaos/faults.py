"""A seeded schedule of faults, and how each is done to a process by its pid."""

import random
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["kill", "terminate", "freeze", "wipe"]

FREEZE_SECONDS: Final = 13.0
"""Longer than every lease (10 s)."""

PROCESSES: Final = ("incident", "sla-1", "sla-2", "notify", "reporting")


@dataclass(frozen=True)
class Fault:
    """`after` seconds into the run, and `answers` acknowledged commands after the fault before, on a slow machine."""

    after: float
    kind: Kind
    target: str
    answers: int = 0


def schedule(seed: int, seconds: float) -> list[Fault]:
    """A fault every two to three seconds; each kind on each class of target appears before any is repeated.

    The last stretch is left quiet enough for a frozen process to wake within the run.
    """
    rng = random.Random(f"{seed}/faults")
    must: list[tuple[Kind, str]] = [
        ("freeze", rng.choice(("sla-1", "sla-2"))),
        ("kill", "nats"),
        ("kill", "incident"),
        ("wipe", "nats"),
        ("kill", "postgres"),
        ("kill", "notify"),
        ("freeze", rng.choice(("incident", "notify", "reporting"))),
        ("terminate", rng.choice(PROCESSES)),
        ("kill", "sla-1"),
        ("kill", "sla-2"),
        ("freeze", "nats"),
        ("kill", "reporting"),
        ("terminate", "nats"),
        ("freeze", "postgres"),
        ("terminate", "postgres"),
    ]
    first, rest = must[0], must[1:]
    rng.shuffle(rest)
    plan = [first, *rest]
    found: list[Fault] = []
    at = 3.0
    between = max(2.0, min(3.0, (seconds - 9) / len(plan)))
    number = 0
    while at < seconds - 6:
        kind, target = plan[number % len(plan)] if number < len(plan) else rng.choice(plan)
        if kind == "freeze" and at > seconds - FREEZE_SECONDS - 6:
            kind = "kill"
        found.append(Fault(at, kind, target))
        at += between * rng.uniform(0.7, 1.3)
        number += 1
    return found
