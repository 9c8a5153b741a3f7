"""Chosen services in one process with servers of others' keeping, as on Kubernetes; settings from the environment."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import nats

from opsledger.looping import spare_collector
from opsledger.services import services
from opsledger.serving import listen, serving
from opsledger.telling import Teller
from opsledger_runtime import logs
from opsledger_runtime.http import build_app
from opsledger_runtime.provision import provision as make_stream
from opsledger_runtime.running import start
from opsledger_runtime.settings import Settings


async def run(contexts: Sequence[str], host: str, port: int, environ: Mapping[str, str], tell: Teller) -> None:
    """Start them and stay until cancelled.

    Raises:
        SettingsError: names every variable that is missing or wrong.
        CannotStart: the port is busy.
    """
    settings = [Settings.read(context, environ) for context in contexts]
    logs.configure()
    link = listen(host, port)
    async with AsyncExitStack() as stack:
        stack.callback(link.close)
        runnings = [
            await stack.enter_async_context(start(service, chosen))
            for service, chosen in zip(services(contexts), settings, strict=True)
        ]
        http = await stack.enter_async_context(serving(build_app(runnings), link))
        spare_collector()
        tell.settle(f"Opsledger ({', '.join(contexts)}) is ready at http://{host}:{link.getsockname()[1]}")
        await asyncio.wait({http})  # awaited itself, it would be cancelled with us in the middle of its requests
        http.result()


async def provision(url: str, user: str | None, password: str | None, replicas: int) -> None:
    """Make the stream and every service's consumers with an administrator's connection to the bus.

    Raises:
        nats.errors.Error, OSError: the bus cannot be reached or refuses.
    """
    options: dict[str, Any] = {"max_reconnect_attempts": 3, "error_cb": _quietly}
    admin = await nats.connect(url, user=user, password=password, **options)
    try:
        consumers = {service.context: service.subscriptions for service in services()}
        await make_stream(admin.jetstream(), consumers, replicas=replicas)
    finally:
        await admin.close()


async def _quietly(_: Exception) -> None:
    """The last failure is told by the command itself."""
