"""HTTP to commands and queries of sla, under /api/sla/v1."""

from typing import TYPE_CHECKING

from fastapi import APIRouter

from sla.api.agreements import add_agreement_routes
from sla.api.applications import add_application_routes
from sla.api.calendars import add_calendar_routes
from sla.api.choice import add_choice_routes
from sla.api.clocks import add_clock_routes
from sla.api.preview import add_preview_routes
from sla.api.promises import add_promise_routes
from sla.api.trace import trace_routes

if TYPE_CHECKING:
    from opsledger_runtime.running import Running


def routes(running: "Running") -> APIRouter:
    """The endpoints of one running service."""
    router = APIRouter()
    add_calendar_routes(router, running)
    add_application_routes(router, running)
    add_clock_routes(router, running)
    add_choice_routes(router, running)
    add_agreement_routes(router, running)
    router.include_router(trace_routes(running))
    add_preview_routes(router, running)
    add_promise_routes(router, running)
    return router
