"""Composition root of cmdb: everything it does."""

from typing import Final

from cmdb.api import routes
from cmdb.messages import ZH
from cmdb.permissions import PERMISSIONS
from cmdb.projections.classes import CLASSES
from cmdb.projections.items import ITEMS
from cmdb.projections.relations import RELATIONS
from cmdb.seed import seed
from opsledger_runtime.service import Service

SERVICE: Final = Service(
    context="cmdb",
    title="Configuration items",
    messages=ZH,
    routes=routes,
    permissions=PERMISSIONS,
    inline=(CLASSES, ITEMS, RELATIONS),
    seed=seed,
)
