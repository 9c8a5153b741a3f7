"""How one instance of a service ends when the servers around it do not answer."""

import asyncio
import time
from pathlib import Path

import psutil
from fastapi import APIRouter

from opsledger_runtime.auth import LocalIssuer
from opsledger_runtime.embedded.nats import EmbeddedNats
from opsledger_runtime.embedded.processes import free_port
from opsledger_runtime.running import start
from opsledger_runtime.service import Service
from opsledger_runtime.settings import Settings


async def test_a_service_stops_in_order_while_the_broker_is_frozen(database: str, tmp_path: Path) -> None:
    issuer = LocalIssuer.load_or_create(tmp_path / "issuer.json")
    issuer.write_jwks(tmp_path / "jwks.json")
    broker = EmbeddedNats(tmp_path / "nats", free_port(), durable=False, die_with_parent=True)
    broker.start()
    assert broker.child is not None
    frozen = psutil.Process(broker.child.pid)
    settings = Settings(
        context="incident",
        environment="test",
        database_url=database,
        owner_database_url=database,
        nats_url=broker.url(),
        jwks_file=tmp_path / "jwks.json",
    )
    service = Service("incident", "Incidents", lambda running: APIRouter(), {})
    try:
        async with start(service, settings) as running:
            await asyncio.wait_for(running.relay.checked.wait(), 10)
            frozen.suspend()
            began = time.monotonic()
        assert time.monotonic() - began < 12
    finally:
        frozen.resume()
        broker.remove()
