"""Whether the process lives, and whether its services are ready (D14, D16). `/livez` touches no dependency."""

import asyncio
from typing import TYPE_CHECKING, Any, Final

from opsledger_runtime.metrics import accepting

if TYPE_CHECKING:
    from opsledger_runtime.running import Running

LEAST_POSTGRES: Final = 16
"""Least major version of Postgres; the embedded one is 18."""

LEAST_NATS: Final = (2, 15, 1)
"""Least version of the NATS server: the first with the atomic batches that the relay rests on."""

_ANSWER_SECONDS: Final = 2.0


async def readiness(running: "Running") -> list[dict[str, str]]:
    """What keeps it from serving, each with what to do about it; empty: ready."""
    found = [await _postgres(running), _nats_version(running)]
    if running.draining:
        found.append(_lacking("draining", "The service is stopping.", "Send requests to another instance."))
    return [item for item in found if item is not None]


def _lacking(what: str, why: str, do: str) -> dict[str, str]:
    return {"what": what, "why": why, "do": do}


async def _postgres(running: "Running") -> dict[str, str] | None:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            number = await running.keeper.fetchval("select current_setting('server_version_num')::integer")
    except Exception as error:  # whatever keeps it from answering, the service is not ready
        return _lacking(
            "postgres",
            f"It does not answer ({type(error).__name__}).",
            "Check that the server runs and that OPSLEDGER_DATABASE_URL names it.",
        )
    if number // 10000 < LEAST_POSTGRES:
        return _lacking(
            "postgres_version", f"The server is version {number // 10000}.", f"Upgrade to {LEAST_POSTGRES} or newer."
        )
    return None


def degradation(running: "Running") -> list[dict[str, str]]:
    """What does not work though the service can serve: without the bus commands go on, and reads in any case.

    Taking every replica out of service for it would turn a late announcement into an outage.
    """
    found = [_nats(running), _relay(running)]
    return [item for item in found if item is not None]


def _nats(running: "Running") -> dict[str, str] | None:
    if running.nats.is_connected:
        return None
    return _lacking(
        "nats", "There is no connection.", "Check that the server runs and that OPSLEDGER_NATS_URL names it."
    )


def _nats_version(running: "Running") -> dict[str, str] | None:
    if not running.nats.is_connected:
        return None
    version = running.nats.connected_server_version
    if (version.major, version.minor, version.patch) < LEAST_NATS:
        least = ".".join(map(str, LEAST_NATS))
        return _lacking("nats_version", f"The server is version {version}.", f"Upgrade to {least} or newer.")
    return None


def _relay(running: "Running") -> dict[str, str] | None:
    if accepting(running):
        return None
    return _lacking(
        "relay",
        "Commands are refused: the bus may hold events that this service's database has lost.",
        "Wait for the bus if it is away; else restore a newer backup of the database.",
    )


async def report(runnings: "list[Running]") -> tuple[bool, dict[str, Any]]:
    """Whether all services are ready, and the report that says why not."""
    lacking = await asyncio.gather(*(readiness(running) for running in runnings))
    services = {
        running.context: {"ready": not found, "not_ready": found, "degraded": degradation(running)}
        for running, found in zip(runnings, lacking, strict=True)
    }
    ready = not any(lacking)
    return ready, {"ready": ready, "services": services}
