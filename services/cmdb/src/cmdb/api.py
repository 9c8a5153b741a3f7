"""Every endpoint of the context, under /api/cmdb/v1."""

from typing import TYPE_CHECKING

from fastapi import APIRouter

from cmdb.api_classes import add_classes
from cmdb.api_graph import add_graph
from cmdb.api_items import add_items
from cmdb.api_relations import add_relations

if TYPE_CHECKING:
    from opsledger_runtime.running import Running


def routes(running: "Running") -> APIRouter:
    """The endpoints of one running service."""
    router = APIRouter()
    add_items(router, running.doors)
    add_relations(router, running.doors)
    add_graph(router, running.doors)
    add_classes(router, running.doors)
    return router
