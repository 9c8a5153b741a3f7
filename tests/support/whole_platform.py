"""The whole platform in one process for end-to-end tests, with a mail sink."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.support import alertmanager

from opsledger.services import services
from opsledger_runtime.testing import harness
from opsledger_runtime.testing.smtp_sink import SmtpSink

PEOPLE = {"engineer-1": ("李伟", "zh-CN"), "engineer-2": ("Ann Lee", "en"), "requester-1": ("王芳", "zh-CN")}
TEAMS = {"network": ("网络组", ["engineer-1", "engineer-2"]), "desk": ("服务台", ["engineer-2"])}


@pytest.fixture(scope="module")
async def mail() -> AsyncIterator[SmtpSink]:
    """A real SMTP server that keeps what it is given."""
    async with SmtpSink() as sink:
        yield sink


@pytest.fixture(scope="module")
async def platform(
    postgres_url: str, nats_url: str, mail: SmtpSink, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[harness.Harness]:
    """Every service, started once for a module; tests use incidents of their own and move the clock only forward.

    Not for the session: its relays would fill the streams that other tests make anew on the same server.
    """
    directory: Path = tmp_path_factory.mktemp("platform")
    os.environ["OPSLEDGER_NOTIFY_SMTP_URL"] = f"smtp://127.0.0.1:{mail.port}"
    async with harness.platform(services(), directory, postgres_url=postgres_url, nats_url=nats_url) as running:
        await introduce_people(running.client("administrator"))
        await running.quiet()
        yield running


@pytest.fixture
async def manager(platform: harness.Harness, tmp_path: Path) -> AsyncIterator[alertmanager.Alertmanager]:
    """A real Alertmanager that knows the platform's webhook."""
    webhook = f"{platform.base_url}/api/incident/v1/alerts/alertmanager"
    token = platform.issuer.token("intake", subject="alertmanager-1")
    async with alertmanager.running(alertmanager.find_binary(), tmp_path, webhook, token) as found:
        yield found


async def introduce_people(client: httpx.AsyncClient) -> None:
    """Contacts and teams that incidents are assigned to."""
    for person, (name, language) in PEOPLE.items():
        body = {"name": name, "email": f"{person}@example.com", "language": language}
        (await client.put(f"/api/notify/v1/contacts/{person}", json=body)).raise_for_status()
    for key, (name, members) in TEAMS.items():
        team = {"name": name, "members": members}
        (await client.put(f"/api/notify/v1/teams/{key}", json=team)).raise_for_status()
