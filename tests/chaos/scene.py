"""What is agreed before the storm, over HTTP: people, teams, and three agreements tight enough to break."""

import asyncio
from typing import Any

import httpx
from tests.chaos.storm import Storm

from opsledger_runtime import ids

PEOPLE = {"engineer-1": ("李伟", "zh-CN"), "engineer-2": ("Ann Lee", "en"), "engineer-3": ("张敏", "zh-CN")}
TEAMS = {"network": ("网络组", ["engineer-1", "engineer-2"]), "desk": ("服务台", ["engineer-3"])}

CALENDAR = str(ids.derived_id("chaos", "calendar"))
PAUSING = {
    "mail": ["awaiting_requester", "awaiting_third_party"],
    "core-network": ["awaiting_vendor"],
    "erp": [],
}
"""By service: the hold reasons that pause its clocks."""

_TRIES = 40


async def set_up(storm: Storm) -> None:
    """Every definition is acknowledged when this returns."""
    headers = {"Authorization": f"Bearer {storm.issuer.token('administrator')}"}
    async with httpx.AsyncClient(headers=headers, timeout=10.0) as http:
        if "notify" in storm.services:
            base = f"{storm.services['notify'].url}/api/notify/v1"
            for person, (name, language) in PEOPLE.items():
                body = {"name": name, "email": f"{person}@example.com", "language": language}
                await _put(http, f"{base}/contacts/{person}", body)
            for key, (name, members) in TEAMS.items():
                await _put(http, f"{base}/teams/{key}", {"name": name, "members": members})
        if "sla-1" in storm.services:
            base = f"{storm.services['sla-1'].url}/api/sla/v1"
            hours = {"name": "全天 24x7", "time_zone": "Asia/Shanghai", "always_open": True}
            await _put(http, f"{base}/calendars/{CALENDAR}", hours)
            for tightness, service in enumerate(PAUSING):
                agreement = ids.derived_id("chaos", "agreement", service)
                await _put(http, f"{base}/agreements/{agreement}", _agreement(service, tightness))


def _agreement(service: str, tightness: int) -> dict[str, Any]:
    return {
        "name": f"{service} 紧约定",
        "calendar": CALENDAR,
        "service": service,
        "targets": [
            {"priority": n, "response_seconds": n + tightness, "resolution_seconds": 2 * n + 2 + tightness}
            for n in range(1, 6)
        ],
        "pausing_reasons": PAUSING[service],
        "warning_percent": [50, 80],
    }


async def _put(http: httpx.AsyncClient, url: str, body: dict[str, Any]) -> None:
    for attempt in range(_TRIES):
        key = {"Idempotency-Key": str(ids.derived_id("scene", url))}
        try:
            answer = await http.put(url, json=body, headers=key)
        except httpx.HTTPError:
            if attempt == _TRIES - 1:
                raise
        else:
            if answer.is_success or answer.status_code < 500:
                assert answer.is_success, f"{url} answered {answer.status_code}: {answer.text[:500]}"
                return
        await asyncio.sleep(0.25)
