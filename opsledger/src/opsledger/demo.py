"""The demonstration: one incident from a phone call to the report, played through the HTTP API with a moved clock.

Starts five hours ago and ends now. Owns no platform code: whatever it shows, a user can do with curl.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console
from rich.table import Table

from opsledger_runtime.clock import machine_time, monotonic, set_offset
from opsledger_runtime.moving import move_clock

LENGTH: Final = timedelta(hours=5)
_MARK: Final = "demonstration-offered"
_PATIENCE_SECONDS: Final = 30.0

TEAM: Final = "network"
ENGINEER: Final = "demo-li-wei"
REQUESTER: Final = "demo-wang-fang"


class DemonstrationFailed(Exception):
    """A step did not do what the platform promises; the message says which."""


@dataclass
class Story:
    """What the demonstration found; each entry was read back through the API."""

    incident: dict[str, Any] = field(default_factory=dict)
    clocks: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)


def wanted(data_dir: Path) -> bool:
    """Whether this data folder is new: with anybody's real work in it the clock must not be set back."""
    return not (data_dir / _MARK).exists()


def remember(data_dir: Path) -> None:
    """From now on the folder may hold real work, whether the demonstration was played, cut off or declined."""
    (data_dir / _MARK).touch()


def prepare(clock_file: Path) -> None:
    """Set the clock back before the services start, so that nothing in the story lies in the future."""
    set_offset(clock_file, -LENGTH)


class Player:
    """Speaks to the running platform as a service desk would."""

    def __init__(
        self, client: httpx.AsyncClient, clock_file: Path, contexts: tuple[str, ...], say: Callable[[str], None]
    ) -> None:
        self._client = client
        self._clock_file = clock_file
        self._contexts = contexts
        self._say = say
        self._start = machine_time() - LENGTH

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
        answer = await self._client.request(method, f"/api{path}", json=body, headers={"Prefer": "wait=5", **headers})
        if answer.is_error:
            problem = answer.json() if "json" in answer.headers.get("content-type", "") else {"detail": answer.text}
            raise DemonstrationFailed(
                f"{method} {path} answered {answer.status_code}: {problem.get('detail') or problem.get('title')}"
            )
        return answer.json() if answer.content else None

    async def _statuses(self) -> list[dict[str, Any]]:
        await self._wait("The last mail", self._all_mails_sent)  # or it would bear the time that the clock moves to
        return list(await asyncio.gather(*(self._ask("GET", f"/{context}/v1/status") for context in self._contexts)))

    async def _all_mails_sent(self) -> bool:
        states = ("planned", "handing", "unknown")
        asked = [self._ask("GET", f"/notify/v1/deliveries?state={state}&limit=1") for state in states]
        return not any(found["items"] for found in await asyncio.gather(*asked))

    async def _until(self, after_start: timedelta) -> None:
        await move_clock(self._clock_file, self._start + after_start, self._statuses)

    async def _wait(self, what: str, check: Callable[[], Awaitable[Any]]) -> Any:
        deadline = monotonic() + _PATIENCE_SECONDS
        while True:
            if found := await check():
                return found
            if monotonic() > deadline:
                raise DemonstrationFailed(f"{what} did not appear within {_PATIENCE_SECONDS:.0f} s")
            await asyncio.sleep(0.05)

    async def play(self) -> Story:
        """The whole story; raises DemonstrationFailed at the first step that goes wrong."""
        story = Story()
        self._say("Registering an engineer, a requester and the network team …")
        people = {ENGINEER: ("李伟 Li Wei", "li.wei", "zh-CN"), REQUESTER: ("王芳 Wang Fang", "wang.fang", "en")}
        for person, (name, mailbox, language) in people.items():
            body = {"name": name, "email": f"{mailbox}@example.com", "language": language}
            await self._ask("PUT", f"/notify/v1/contacts/{person}", body)
        await self._ask("PUT", f"/notify/v1/teams/{TEAM}", {"name": "网络组 Network", "members": [ENGINEER]})

        desk = {"name": "服务台 Service desk", "members": [ENGINEER]}
        await self._ask("PUT", "/notify/v1/teams/service-desk", desk, **{"If-Match": '"1"'})

        self._say("A phone call: an incident is opened, priority 1 …")
        opened = await self._ask(
            "POST",
            "/incident/v1/incidents",
            {
                "title": "核心交换机 12 口反复中断 / core switch port 12 flaps",
                "description": "门诊大厅网络时断时续。The outpatient hall loses its network every few minutes.",
                "impact": 1,
                "urgency": 1,
                "category": "network",
                "service": "core-network",
                "configuration_item": "sw-core-01",
                "requester": REQUESTER,
                "channel": "phone",
            },
        )
        incident = f"/incident/v1/incidents/{opened['id']}"
        await self._until(timedelta(minutes=4))
        self._say("It is assigned to the network team, which starts work: the response clock stops in time …")
        await self._ask("POST", f"{incident}/assign", {"team": TEAM, "assignee": ENGINEER})
        await self._until(timedelta(minutes=9))
        await self._ask("POST", f"{incident}/start", {})
        await self._until(timedelta(minutes=40))
        self._say("On hold for twenty minutes, waiting for the requester: the resolution clock pauses …")
        await self._ask(
            "POST", f"{incident}/hold", {"reason": "awaiting_requester", "note": "需要进入机房 / access to the room"}
        )
        await self._until(timedelta(minutes=60))
        await self._ask("POST", f"{incident}/resume", {})
        self._say("Moving the clock past the warning (75 %) and the breach …")
        await self._until(timedelta(hours=4, minutes=40))
        self._say("Resolved, too late, with the responsibility code of the closure …")
        await self._ask(
            "POST",
            f"{incident}/resolve",
            {"responsibility": "provider", "resolution": "更换光模块 / replaced the transceiver"},
        )
        await move_clock(self._clock_file, machine_time(), self._statuses)
        set_offset(self._clock_file, timedelta(0))

        self._say("Reading it all back …")
        story.incident = await self._ask("GET", incident)
        story.clocks = (await self._ask("GET", f"/sla/v1/clocks?incident={opened['id']}"))["items"]
        story.deliveries = await self._wait("The mail about the breach", lambda: self._delivered(opened["id"]))
        story.report = await self._wait("The report row", lambda: self._reported(opened["id"]))
        aggregates = [("incident", opened["id"])]
        aggregates += [("sla", clock["id"]) for clock in story.clocks]
        aggregates += [("notify", delivery["id"]) for delivery in story.deliveries]
        for context, aggregate in aggregates:
            story.events += (await self._ask("GET", f"/{context}/v1/events?aggregate={aggregate}"))["items"]
        story.events.sort(key=lambda event: (event["time"], event["recordedtime"]))
        return story

    async def _delivered(self, incident: str) -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = (await self._ask("GET", f"/notify/v1/deliveries?incident={incident}"))["items"]
        breach = [delivery for delivery in found if delivery["cause_type"] == "sla.SLABreached.v1"]
        settled = all(delivery["state"] in ("delivered", "failed") for delivery in found)
        return found if breach and settled else None

    async def _reported(self, incident: str) -> dict[str, Any] | None:
        found: dict[str, Any] = await self._ask("GET", f"/reporting/v1/incidents/{incident}")
        return found if found.get("resolved_at") else None


async def play(base_url: str, token: str, clock_file: Path, contexts: tuple[str, ...], console: Console) -> None:
    """Play it and show it.

    Raises:
        DemonstrationFailed: a step did not do what the platform promises.
    """
    headers = {"Authorization": f"Bearer {token}", "Accept-Language": "en"}
    async with httpx.AsyncClient(base_url=base_url, headers=headers, timeout=30.0) as client:
        steps = Player(client, clock_file, contexts, lambda line: console.print(f"  · {line}", highlight=False))
        story = await steps.play()
    show(story, console)


def _clock(instant: str | None) -> str:
    return datetime.fromisoformat(instant).astimezone().strftime("%H:%M:%S") if instant else "–"


def _minutes(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds / 60:.0f} min"


def _promise(said: dict[str, Any]) -> str:
    """What a clock measures, and of a team's clock whose it is: `ownership (OLA of network)`."""
    if said.get("kind", "sla") == "sla":
        return str(said["metric"])
    return f"{said['metric']} ({said['kind'].upper()} of {said.get('party') or 'a team'})"


def show(story: Story, console: Console) -> None:
    """One table of what became of the incident, one of the events that link it."""
    table = Table(title=f"What happened to {story.incident['number']}", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row(
        "Incident", f"{story.incident['title']}\npriority {story.incident['priority']}, {story.incident['state']}"
    )
    for clock in story.clocks:
        verdict = "met" if clock.get("met") else "missed" if clock.get("met") is False else clock["state"]
        used = f"{_minutes(clock['elapsed_seconds'])} of {_minutes(clock['target_seconds'])} used"
        table.add_row(f"Clock: {_promise(clock)}", f"{verdict}: {used}, due {_clock(clock['due_at'])}")
    for name, label in (("SLAWarningReached", "Warning"), ("SLABreached", "Breach")):
        for event in story.events:
            if event["type"].split(".")[2] == name:
                table.add_row(label, f"{_promise(event['data'])} clock at {_clock(event['time'])}")
    for delivery in story.deliveries:
        about = delivery["cause_type"].split(".")[1]
        table.add_row("Mail", f"{delivery['state']} to {delivery['contact']} ({delivery['language']}) about {about}")
    measures = (
        ("acknowledged", "seconds_to_acknowledge"),
        ("resolved", "seconds_to_resolve"),
        ("held", "held_seconds"),
    )
    table.add_row("Report row", ", ".join(f"{name} {_minutes(story.report.get(key))}" for name, key in measures))
    console.print(table)

    known = {event["id"]: index for index, event in enumerate(story.events, 1)}
    chain = Table(title="The events, and which caused which", title_justify="left")
    for column in ("#", "time", "event", "number in its context", "caused by"):
        chain.add_column(column)
    for index, event in enumerate(story.events, 1):
        cause = known.get(event.get("causationid", ""))
        chain.add_row(
            str(index),
            _clock(event["time"]),
            event["type"].split(".", 1)[1],
            str(int(event["sequence"])) if event.get("sequence") else "",
            f"#{cause}" if cause else "a person",
        )
    console.print(chain)
