"""A real Alertmanager, run from Debian's unpacked package: fires, repeats and resolves through its own API."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.waiting import eventually

from opsledger_runtime.embedded.processes import free_port

CACHE = Path(sys.prefix) / "alertmanager"


def find_binary() -> Path:
    """The binary that the environment names, the machine has, or Debian's package holds.

    Where none can be had the test is skipped with the reason, and in CI (CI=true) it fails.
    """
    named = os.environ.get("OPSLEDGER_TEST_ALERTMANAGER")
    if named:
        return Path(named)
    for name in ("prometheus-alertmanager", "alertmanager"):
        if found := shutil.which(name):
            return Path(found)
    unpacked = CACHE / "usr/bin/prometheus-alertmanager"
    if not unpacked.exists():
        reason = _unpack(CACHE)
        if reason:
            message = f"no Alertmanager: {reason}. Install prometheus-alertmanager or set OPSLEDGER_TEST_ALERTMANAGER."
            if os.environ.get("CI"):
                pytest.fail(message, pytrace=False)
            pytest.skip(message)
    return unpacked


def _unpack(folder: Path) -> str | None:
    """Fetch and unpack the package; the reason if that is impossible."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        return "this is no Debian"
    folder.mkdir(parents=True, exist_ok=True)
    download = ["apt-get", "download", "prometheus-alertmanager"]
    found = subprocess.run(download, cwd=folder, capture_output=True, text=True, check=False)
    if found.returncode and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False)
        found = subprocess.run(download, cwd=folder, capture_output=True, text=True, check=False)
    packages = sorted(folder.glob("prometheus-alertmanager_*.deb"))
    if not packages:
        return f"apt-get download failed: {found.stderr.strip()[-200:]}"
    scratch = folder / f"scratch-{os.getpid()}"
    subprocess.run(["dpkg", "-x", str(packages[-1]), str(scratch)], check=True, capture_output=True)
    _find_templates_beside(scratch / "usr/bin/prometheus-alertmanager")
    shutil.copytree(scratch, folder, dirs_exist_ok=True)
    shutil.rmtree(scratch)
    return None


def _find_templates_beside(binary: Path) -> None:
    """Debian's build reads its default templates from an absolute folder of the installed package.

    It is only unpacked here, so the folder in this copy becomes one of the same length, relative to the working folder.
    """
    installed = b"/usr/share/prometheus/alertmanager"
    binary.write_bytes(binary.read_bytes().replace(installed, b"./" * (len(installed) // 2)))


class Alertmanager:
    """One running Alertmanager that sends to one webhook."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def ready(self) -> bool:
        """Whether it answers."""
        async with httpx.AsyncClient(timeout=5) as http:
            try:
                return (await http.get(f"{self.url}/-/ready")).status_code == 200
            except httpx.TransportError:
                return False

    async def send(self, name: str, *, labels: dict[str, str], summary: str, ends_at: datetime | None = None) -> None:
        """Post an alert as Prometheus would; with `ends_at` in the past it is resolved."""
        alert: dict[str, Any] = {
            "labels": {"alertname": name, **labels},
            "annotations": {"summary": summary},
            "generatorURL": "http://prometheus.example.com/graph",
        }
        if ends_at is not None:
            alert["endsAt"] = ends_at.astimezone(UTC).isoformat()
        async with httpx.AsyncClient(timeout=5) as http:
            (await http.post(f"{self.url}/api/v2/alerts", json=[alert])).raise_for_status()


def _templates(binary: Path) -> Path | None:
    beside = binary.parent.parent / "share/prometheus/alertmanager"
    return beside if (beside / "default.tmpl").exists() else None


@asynccontextmanager
async def running(binary: Path, folder: Path, webhook: str, token: str) -> AsyncIterator[Alertmanager]:
    """Start it with short intervals, so that repeats come within seconds."""
    (folder / "token").write_text(token)
    (folder / "alertmanager.yml").write_text(
        f"""
route:
  receiver: opsledger
  group_by: [alertname]
  group_wait: 200ms
  group_interval: 1s
  repeat_interval: 1s
receivers:
  - name: opsledger
    webhook_configs:
      - url: {webhook}
        send_resolved: true
        http_config:
          authorization:
            credentials_file: {folder / "token"}
"""
    )
    port = free_port()
    log = folder / "alertmanager.log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            str(binary),
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            "--log.level=warn",
            stdout=out,
            stderr=out,
            cwd=_templates(binary),
        )
    manager = Alertmanager(f"http://127.0.0.1:{port}")
    try:
        await eventually(manager.ready)
        yield manager
    except AssertionError as error:
        raise AssertionError(f"{error}\nAlertmanager says: {log.read_text()[-2000:]}") from error
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
