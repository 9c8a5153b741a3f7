"""Composition root of reporting: everything it does."""

from typing import Final

from opsledger_runtime.service import Service
from reporting.api import routes
from reporting.permissions import PERMISSIONS
from reporting.projections.mart import SUBSCRIPTION

SERVICE: Final = Service(
    context="reporting",
    title="Reporting",
    routes=routes,
    permissions=PERMISSIONS,
    subscriptions=(SUBSCRIPTION,),
    schemas=("mart", "reporting"),
)
