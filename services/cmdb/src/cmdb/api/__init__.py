"""Every endpoint of the context, under /api/cmdb/v1."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from cmdb import ownership
from cmdb.api.classes import add_classes
from cmdb.api.graph import add_graph
from cmdb.api.intake import add_intake
from cmdb.api.items import add_items
from cmdb.api.quality import add_quality
from cmdb.api.relations import add_relations
from cmdb.settings import CmdbSettings

if TYPE_CHECKING:
    from opsledger_runtime.running import Running


def routes(running: "Running") -> APIRouter:
    """The endpoints of one running service."""
    router = APIRouter()
    add_items(router, running.doors)
    add_relations(router, running.doors)
    add_graph(router, running.doors)
    add_classes(router, running.doors)
    add_quality(router, running.doors)
    add_intake(router, running.doors, CmdbSettings.read(os.environ))

    async def gaps() -> Mapping[Any, float]:
        return await ownership.gauge(running.pool)

    described = "Items in use that nobody answers for, by who is missing (R34)"
    running.doors.gauge("cmdb_ownership_gaps", described, ("missing",), gaps)
    return router
