"""A real Superset in a scratch folder, with the bundle of `deploy/superset` imported through its API.

Slow (minutes) and large (about 700 MB), so it is opt-in: `make test-bi`. Versions are pinned to a day on which they
fitted together; without `cachetools` and the older flask-caching, Superset installs and does not work.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from tests.support.waiting import eventually

DEPLOY = Path(__file__).parents[2] / "deploy" / "superset"
PINS = (
    "apache-superset==6.1.0",
    "psycopg2-binary",
    "cachetools",
    "gevent",
    "flask-caching==2.3.1",
    "cachelib==0.13.0",
)
PINNED_ON = "2026-05-20"


def installed(folder: Path) -> Path:
    """The `bin` folder of an environment with Superset; made in `folder` unless it is there."""
    found = folder / "venv" / "bin"
    if not (found / "superset").exists():
        uv = Path(sys.executable).with_name("uv")
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([uv, "venv", "--quiet", "--python", "3.11", folder / "venv"], check=True)
        command = [uv, "pip", "install", "--quiet", "--python", found / "python", "--exclude-newer", PINNED_ON, *PINS]
        subprocess.run(command, check=True)
    return found


class Superset:
    """A client who is its administrator."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def take(self, bundle: bytes, passwords: dict[str, str]) -> None:
        """Import a bundle; passwords by file name in it."""
        answer = await self._http.post(
            "/api/v1/assets/import/",
            files={"bundle": ("opsledger.zip", bundle, "application/zip")},
            data={"passwords": json.dumps(passwords)},
            timeout=120,
        )
        assert answer.status_code == 200, answer.text

    async def every(self, kind: str) -> dict[str, dict[str, Any]]:
        """Everything of a kind (`chart`, `dataset`, `dashboard`) by its uuid."""
        answer = await self._http.get(f"/api/v1/{kind}/", params={"q": "(page_size:100)"})
        assert answer.status_code == 200, answer.text
        found = {}
        for row in answer.json()["result"]:
            one = (await self._http.get(f"/api/v1/{kind}/{row['id']}")).json()["result"]
            found[str(one["uuid"])] = {**one, "id": row["id"]}
        return found

    async def data(self, dataset: int, query: dict[str, Any]) -> list[dict[str, Any]]:
        """What a chart with such a query shows."""
        body = {
            "datasource": {"id": dataset, "type": "table"},
            "queries": [{"row_limit": 10000, "filters": [], **query}],
            "result_format": "json",
            "result_type": "full",
            "force": True,
        }
        answer = await self._http.post("/api/v1/chart/data", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["result"][0]["data"])


@asynccontextmanager
async def superset(folder: Path, scratch: Path, metadata_uri: str) -> AsyncIterator[Superset]:
    """Superset on an empty metadata database, until left."""
    found, password = installed(folder), secrets.token_hex(12)
    environment = {
        **os.environ,
        "SUPERSET_CONFIG_PATH": str(DEPLOY / "superset_config.py"),
        "SUPERSET_SECRET_KEY": secrets.token_hex(24),
        "SUPERSET_METADATA_URI": metadata_uri,
        "SUPERSET_HOME": str(scratch / "superset"),
        "FLASK_APP": "superset.app:create_app()",
    }
    administrator = ["--username", "admin", "--firstname", "A", "--lastname", "B", "--email", "a@example.com"]
    for arguments in (["db", "upgrade"], ["fab", "create-admin", *administrator, "--password", password], ["init"]):
        _run([found / "superset", *arguments], environment)
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        port = link.getsockname()[1]
    with (scratch / "superset.log").open("wb") as log:
        where = ["--timeout", "120", "--bind", f"127.0.0.1:{port}"]
        server = _start([found / "gunicorn", *where, "superset.app:create_app()"], environment, log)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            await eventually(lambda: _healthy(http), timeout=180, every=0.5)
            login = {"username": "admin", "password": password, "provider": "db", "refresh": False}
            answer = await http.post("/api/v1/security/login", json=login)
            assert answer.status_code == 200, answer.text
            http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            yield Superset(http)
    finally:
        server.terminate()
        server.wait(30)


async def _healthy(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/health")).status_code == 200
    except httpx.HTTPError:
        return False


def _run(command: list[Any], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]


def _start(command: list[Any], environment: dict[str, str], log: Any) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, env=environment, stdout=log, stderr=log)
