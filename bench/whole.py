"""All services at work: the bodies that open incidents, the load, and the wait until every effect has been applied."""

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bench import load, measuring
from bench.load import Loaded, Request
from bench.measuring import Stopwatch
from bench.platform import Platform
from opsledger.services import CONTEXTS
from opsledger_runtime.moving import busy_parts

if TYPE_CHECKING:
    from bench.bench import Bench

PATH: Final = "/api/incident/v1/incidents"

_LOOK_SECONDS: Final = 0.2
_TITLES: Final = ("核心交换机端口抖动", "Login to the mail client fails", "打印机卡纸", "VPN drops every hour")
_SERVICES: Final = ("mail", "core-network", "printing", "remote-access")
_WORDS: Final = (
    "The user reports that it began this morning and comes back after a restart. 现场已确认,影响三楼全部工位。 "
)


class NotDrained(RuntimeError):
    """Something was still on its way when the time was over; the message says what."""


@dataclass(frozen=True, slots=True)
class Drained:
    """A load and what came of it. `drain_seconds`: from the last answer until everything was applied everywhere.

    `cpu` and `idle_cpu` are seconds by process: of the load and the drain, and of an idle time of the same length.
    """

    loaded: Loaded
    drain_seconds: float
    cpu: dict[str, float]
    idle_cpu: dict[str, float]

    @property
    def cpu_ms(self) -> float:
        """Processor milliseconds per accepted request, over all processes, idle work taken off."""
        net = sum(self.cpu.values()) - sum(self.idle_cpu.values())
        return net * 1000 / max(1, self.loaded.accepted)


def bodies(size: int) -> list[str]:
    """Bodies of about `size` bytes that open incidents of several services and priorities."""
    found = []
    for index in range(12):
        body: dict[str, Any] = {
            "title": f"{_TITLES[index % 4]} {load.NUMBER}",
            "impact": index % 3 + 1,
            "urgency": index // 4 + 1,
            "service": _SERVICES[index % 4],
            "category": "infrastructure",
            "requester": f"requester-{index}",
            "channel": "phone",
            "description": "",
        }
        missing = size - len(json.dumps(body, ensure_ascii=False).encode()) + len(load.NUMBER) - 10
        text = (_WORDS * (size // 60)).encode()[: max(0, missing)].decode(errors="ignore")
        found.append(json.dumps({**body, "description": text}, ensure_ascii=False))
    return found


def opening(platform: Platform, size: int, key: str) -> Request:
    """Opening incidents with a machine's token; `key` is different for each load of a platform."""
    return Request("POST", PATH, platform.token("integration"), bodies(size), key=key)


async def warm(bench: "Bench", platform: Platform, key: str = "warm") -> list[str]:
    """A short load that nothing is measured of; the incidents it opened."""
    bench.tell("warming up")
    request = opening(platform, bench.sizes.command_body_bytes, key)
    loaded = await load.closed(platform.service_url("incident"), request, clients=4, seconds=bench.sizes.warm_seconds)
    return ids(loaded)


async def drained(bench: "Bench", platform: Platform, clients: int) -> Drained:
    """Idle for a while, load with so many clients, wait until every running service has applied everything.

    Raises:
        NotDrained: within `drain_seconds` it had not.
    """
    sizes = bench.sizes
    await wait_until_drained(platform, sizes.drain_seconds)
    bench.tell("measuring what it uses when idle")
    before = platform.cpu()
    await asyncio.sleep(sizes.command_idle_seconds)
    idle = measuring.used(before, platform.cpu())
    bench.tell(f"{clients} clients open incidents")
    before = platform.cpu()
    with Stopwatch() as watch:
        request = opening(platform, sizes.command_body_bytes, f"whole-{clients}")
        loaded = await load.closed(
            platform.service_url("incident"), request, clients=clients, seconds=sizes.command_seconds
        )
        bench.tell("waiting until everything is applied")
        with Stopwatch() as drain:
            await wait_until_drained(platform, sizes.drain_seconds)
    cpu = measuring.used(before, platform.cpu())
    scale = watch.seconds / max(sizes.command_idle_seconds, 0.1)
    return Drained(loaded, drain.seconds, cpu, {name: seconds * scale for name, seconds in idle.items()})


async def wait_until_drained(platform: Platform, seconds: float) -> None:
    """Wait until every running service has published and applied everything, by their own reports.

    Looks seldom: asking costs processor time that is counted. A second look must see the same, since an event that
    is being applied leads to further ones.

    Raises:
        NotDrained: it had not within `seconds`.
    """
    clean = 0
    with Stopwatch() as watch:
        while clean < 2:
            busy = busy_parts(await platform.statuses())
            clean = 0 if busy else clean + 1
            if watch.seconds > seconds:
                raise NotDrained(f"after {seconds:.0f} s: " + "; ".join(busy))
            await asyncio.sleep(_LOOK_SECONDS if clean < 2 else 0)


def ids(loaded: Loaded) -> list[str]:
    """The incidents that were opened."""
    return [location.rsplit("/", 1)[1] for location in loaded.locations]


def every_service() -> tuple[str, ...]:
    """All contexts, each to be run as a process of its own."""
    return CONTEXTS
