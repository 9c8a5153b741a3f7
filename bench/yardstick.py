"""A fixed piece of work, timed: how fast the processors are just now. Figures taken minutes apart differ by it too."""

import asyncio
import hashlib
import json
from typing import Final

from bench import apart

_ROUNDS: Final = 25_000
_EVENT: Final = {"subject": "核心交换机", "data": {"number": "INC0000042", "impact": 1, "tags": ["network", "floor 3"]}}


async def work() -> None:
    """Write, read and digest an event many times: much the same kinds of work as a service does."""
    for _ in range(_ROUNDS):
        hashlib.sha256(json.dumps(json.loads(json.dumps(_EVENT))).encode()).digest()


async def seconds() -> float:
    """Processor seconds that the work takes on two cores at once."""
    found = await asyncio.gather(*(apart.run("bench.yardstick:work", {}) for _ in range(2)))
    return sum(outcome.cpu_seconds for outcome in found) / len(found)
