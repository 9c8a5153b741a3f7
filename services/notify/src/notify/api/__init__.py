"""HTTP of notify: requests to commands, queries to answers, with models of its own."""

from fastapi import APIRouter

from notify.api import contacts, deliveries, rules, teams, wordings
from opsledger_runtime.running import Running


def routes(running: Running) -> APIRouter:
    """Every endpoint of the service."""
    router = APIRouter()
    for part in (contacts, teams, rules, wordings, deliveries):
        router.include_router(part.routes(running))
    return router
