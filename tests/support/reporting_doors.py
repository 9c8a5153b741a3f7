"""Reporting behind its real doors, its mart filled by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from tests.support.mart import mart

from opsledger_runtime.auth import LOCAL_AUDIENCE, LOCAL_ISSUER, LocalIssuer, TokenVerifier
from opsledger_runtime.http import Doors, build_app
from opsledger_runtime.store import EventStore
from reporting.app import SERVICE

BASE = "/api/reporting/v1"


class _Running:
    """What the doors see of a running service."""

    def __init__(self, store: EventStore, issuer: LocalIssuer) -> None:
        self.service = SERVICE
        self.context = SERVICE.context
        self.store = store
        self.pool = store.pool
        self.clock = store.clock
        self.settings = SimpleNamespace(max_backlog=1000, data_dir=None, environment="test")
        self.subscribers: list[Any] = []
        self.draining = False
        self.verifier = TokenVerifier(issuer.jwks(), LOCAL_ISSUER, LOCAL_AUDIENCE)
        self.doors = Doors(self)  # type: ignore[arg-type]


@dataclass
class Reporting:
    """A client of each role and the store that the mart is filled through."""

    store: EventStore
    issuer: LocalIssuer
    http: httpx.AsyncClient

    async def get(self, path: str, role: str = "analyst", **given: Any) -> httpx.Response:
        """Ask as a role; `organisations=[…]` narrows the token."""
        organisations, headers = given.pop("organisations", None), given.pop("headers", {})
        token = self.issuer.token(role, organisations=organisations)
        return await self.http.get(BASE + path, headers={"Authorization": f"Bearer {token}", **headers}, **given)

    async def figures(self, name: str, **params: Any) -> dict[str, Any]:
        """An indicator's answer; `organisations` as in `get`."""
        organisations = params.pop("organisations", None)
        if "begins" in params:
            params["from"] = params.pop("begins")
        answer = await self.get(f"/indicators/{name}", params=params, organisations=organisations)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@asynccontextmanager
async def reporting_doors(database: str, folder: Path) -> AsyncIterator[Reporting]:
    """Migrate an empty database and open the doors."""
    issuer = LocalIssuer.load_or_create(folder / "issuer.json")
    async with mart(database) as store:
        app = build_app([_Running(store, issuer)])  # type: ignore[list-item]
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            yield Reporting(store, issuer, http)
