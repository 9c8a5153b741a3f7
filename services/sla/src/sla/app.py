"""Composition root of sla: everything it does."""

from typing import Final

from opsledger_runtime.service import Service
from sla.api import routes
from sla.messages import ZH
from sla.permissions import PERMISSIONS
from sla.projections.clock import CLOCKS
from sla.projections.definitions import DEFINITIONS
from sla.projections.promises import PROMISES
from sla.promise_timers import PROMISE_QUEUE, PROMISE_TIMERS
from sla.reactors import CLOCKS_SUBSCRIPTION
from sla.renegotiating import AGREEMENTS
from sla.rescheduling import CALENDARS
from sla.seed import seed
from sla.timers import CLOCK_QUEUE, CLOCK_TIMERS

SERVICE: Final = Service(
    context="sla",
    title="Service levels",
    messages=ZH,
    routes=routes,
    permissions=PERMISSIONS,
    inline=(
        *(DEFINITIONS, CLOCKS, CLOCK_TIMERS, CALENDARS.projection(), AGREEMENTS.projection()),
        *(PROMISES, PROMISE_TIMERS),
    ),
    subscriptions=(CLOCKS_SUBSCRIPTION,),
    timers=(CLOCK_QUEUE, CALENDARS.timers(), AGREEMENTS.timers(), PROMISE_QUEUE),
    seed=seed,
)
