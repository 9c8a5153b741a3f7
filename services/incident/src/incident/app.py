"""Composition root of the incident context: everything it does, in one list."""

import os
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter

from incident import api
from incident.intake import kept_aside
from incident.messages import ZH
from incident.permissions import PERMISSIONS
from incident.projections.incident_queue import INCIDENT_QUEUE
from incident.projections.items import ITEMS_SUBSCRIPTION
from incident.settings import IncidentSettings
from opsledger_runtime.running import Running
from opsledger_runtime.service import Service


def _routes(running: Running) -> APIRouter:
    async def rejected() -> Mapping[Any, float]:
        return {(): await kept_aside.of_the_day(running.pool, running.clock.now())}

    described = "Alerts that were kept aside within 24 hours because they could not be taken in"
    running.doors.gauge("intake_rejected_alerts", described, (), rejected)
    return api.router(running.doors, IncidentSettings.read(os.environ))


SERVICE: Final = Service(
    context="incident",
    title="Incidents",
    messages=ZH,
    routes=_routes,
    permissions=PERMISSIONS,
    inline=(INCIDENT_QUEUE,),
    subscriptions=(ITEMS_SUBSCRIPTION,),
)
