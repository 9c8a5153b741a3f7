"""What a clock costs: evaluated, re-targeted, and judged anew by a draft agreement over a year of incidents."""

import asyncio
from datetime import timedelta
from typing import Any, Final

import asyncpg
import httpx

from bench import apart, measuring
from bench.bench import Bench
from bench.case import Case
from bench.cases.clocks_filling import DAYS
from bench.cases.clocks_stories import OFFICE_HOURS, PAUSING, promised
from bench.measuring import Stopwatch, percentile
from bench.platform import Platform
from bench.results import Measurement
from opsledger_runtime.clock import OffsetClock
from sla.seed import DEFAULT_AGREEMENT

_PATH: Final = f"/api/sla/v1/agreements/{DEFAULT_AGREEMENT}/preview"
_WRITERS: Final = 2
_PATIENCE_SECONDS: Final = 300.0
_VERDICTS: Final = ("met", "breached", "running", "none")


async def run(bench: Bench) -> None:
    """The pure parts in a process of their own, then the preview through the API."""
    await _evaluations(bench)
    await _retargets(bench)
    async with bench.platform() as platform:
        await _preview(bench, platform)


async def _evaluations(bench: Bench) -> None:
    count = bench.sizes.clock_stories
    curve = []
    for days in bench.sizes.clock_days:
        bench.tell(f"{count:,} clocks of {days} days")
        found = (await apart.run("bench.cases.clocks_apart:evaluate", {"days": days, "stories": count})).value
        _differ(bench, f"clocks of {days} days", found["differ"])
        bare = _median(found["bare"])
        for what, key in (("for the first time", "cold"), ("again, as within a decision", "again")):
            note = "" if key == "again" else f"the first with a calendar takes {found['first_ms']:.1f} ms"
            bench.record(_measured(f"a clock of {days} days, read {what}", found[key], found["bare"], note))
        cold, again = _median(found["cold"]), _median(found["again"])
        curve.append([days, *_round(cold, again, bare), f"{cold / bare:.2f}", f"{again / bare:.2f}"])
    head = ("days", "first µs", "again µs", "bare loop µs", "first ratio", "again ratio")
    bench.table("A reading by the length of the story: medians", head, curve)


async def _retargets(bench: Bench) -> None:
    curve: list[list[Any]] = []
    days_and_found = []
    for days in bench.sizes.clock_days:
        bench.tell(f"changes of priority after {days} days")
        given = {"days": days, "stories": bench.sizes.clock_retargets}
        days_and_found.append((days, (await apart.run("bench.cases.clocks_apart:retarget", given)).value))
    for days, found in days_and_found:
        for policy, one in found.items():
            _differ(bench, f"changes of priority by {policy} after {days} days", one["differ"])
        bare = _median([each for one in found.values() for each in one["bare"]["ms"]])
        own = [_median(one["own"]) for one in found.values()]
        curve.append([days, *_round(*own, bare), f"{sum(own) / len(own) / bare:.1f}"])
    days, found = days_and_found[len(days_and_found) // 2]
    for policy, one in found.items():
        what = f"another target after {days} days, decided and evolved, {policy}"
        bench.record(_measured(what, one["own"], one["bare"]))
    head = ("days", *(f"{policy} µs" for policy in found), "bare loop µs", "ratio")
    bench.table("A change of target by the length of the story: medians", head, curve)


async def _preview(bench: Bench, platform: Platform) -> None:
    incidents = bench.sizes.clock_preview
    await platform.migrate("sla")
    now = OffsetClock(platform.clock_file).now()
    bench.tell(f"writing what happened to {incidents:,} incidents")
    given = {"url": platform.access("sla").owner_database_url, "until": now.isoformat(), "incidents": incidents}
    written = await asyncio.gather(
        *(
            apart.run(
                "bench.cases.clocks_filling:fill", {**given, "part": part, "parts": _WRITERS}, timeout=_PATIENCE_SECONDS
            )
            for part in range(_WRITERS)
        )
    )
    await _tidy(platform)
    bench.tell("starting the sla service")
    await platform.start("sla")
    bench.tell(f"a preview over {incidents:,} incidents")
    before = platform.cpu()
    latencies, answer = [], {}
    for _ in range(bench.sizes.clock_previews):
        with Stopwatch() as watch:
            answer = await _asked(platform)
        latencies.append(watch.seconds * 1000)
    spent = measuring.used(before, platform.cpu())
    memory = platform.resident()["sla"]
    bench.tell("its limit")
    first = (now - timedelta(days=DAYS + 1)).date()
    telling = {"url": given["url"], "now": answer["as_of"], "first": first.isoformat()}
    limit = (await apart.run("bench.cases.clocks_limit:preview", telling, timeout=_PATIENCE_SECONDS)).value
    _compare(bench, answer, limit, incidents)
    seconds = percentile(latencies, 0.5) / 1000
    judged = incidents * len(latencies)
    events = sum(one.value["events"] for one in written)
    bench.record(
        Measurement(
            "clocks",
            f"a preview over {incidents:,} incidents, the whole answer",
            seconds,
            "s",
            limit["seconds"],
            seconds / limit["seconds"],
            p50_ms=percentile(latencies, 0.5),
            p99_ms=percentile(latencies, 0.99),
            cpu_ms=sum(spent.values()) * 1000 / judged,
            memory_mib=memory,
            note=f"{len(latencies)} answers over {events:,} events, CPU by incident: "
            + ", ".join(f"{name} {used * 1000 / judged:.3f}" for name, used in spent.items() if name != "nats")
            + f"; limit: {limit['seconds'] - limit['judging']:.1f} s until the rows are there; no clock had been kept",
        )
    )


async def _asked(platform: Platform) -> dict[str, Any]:
    """A draft for everybody; the newest year's incidents of every organisation."""
    draft = {
        "name": "Office hours",
        "calendar": {"name": "Office", **OFFICE_HOURS},
        "targets": promised(),
        "pausing_reasons": sorted(PAUSING),
    }
    headers = {"Authorization": f"Bearer {platform.token('lead')}"}
    async with httpx.AsyncClient(timeout=_PATIENCE_SECONDS, headers=headers, trust_env=False) as http:
        answer = await http.post(platform.service_url("sla") + _PATH, json=draft)
    if answer.status_code != httpx.codes.OK:
        raise RuntimeError(f"{answer.status_code} {answer.text[:500]}")
    found: dict[str, Any] = answer.json()
    return found


def _compare(bench: Bench, answer: dict[str, Any], limit: dict[str, Any], incidents: int) -> None:
    """The two judge the same clocks the same."""
    verdicts: dict[str, int] = {}
    for row in answer["counts"]:
        for verdict in _VERDICTS:
            key = f"{row['metric']} {verdict}"
            verdicts[key] = verdicts.get(key, 0) + row["after"][verdict]
    found = {key: number for key, number in verdicts.items() if number}
    if (answer["incidents"], limit["incidents"]) != (incidents, incidents):
        bench.fail(
            [f"the preview saw {answer['incidents']:,} of {incidents:,} incidents, its limit {limit['incidents']:,}"]
        )
    if found != limit["verdicts"]:
        bench.fail([f"the preview counts {found}, the bare loop {limit['verdicts']}"])


def _differ(bench: Bench, what: str, number: int) -> None:
    if number:
        bench.fail([f"{what}: {number:,} differ from the bare loop"])


def _measured(what: str, own: dict[str, Any], bare: dict[str, Any], note: str = "") -> Measurement:
    figure, limit = _median(own) * 1000, _median(bare) * 1000
    return Measurement(
        "clocks",
        what,
        figure,
        "µs",
        limit,
        figure / limit,
        p50_ms=percentile(own["ms"], 0.5),
        p99_ms=percentile(own["ms"], 0.99),
        cpu_ms=own["cpu_ms"],
        note=note,
    )


def _median(found: Any) -> float:
    return percentile(found["ms"] if isinstance(found, dict) else found, 0.5)


def _round(*milliseconds: float) -> list[str]:
    return [f"{one * 1000:.0f}" for one in milliseconds]


async def _tidy(platform: Platform) -> None:
    """As housekeeping leaves tables in the long run."""
    connection = await asyncpg.connect(platform.superuser_url("sla"))
    try:
        await connection.execute("vacuum (analyze)")
        await connection.execute("checkpoint")
    finally:
        await connection.close()


CASE: Final = Case(
    "clocks",
    "A bare loop over the calendar's work intervals, day by day, that adds up what the clock ran of each and keeps "
    "neither warnings nor a trace: with nothing but the days at hand every one of them has to be looked at. Sums that "
    "are kept by interval need not, so on long stories less than the limit is possible.",
    run,
)
