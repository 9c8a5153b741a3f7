"""Every indicator, by name and in the order in which people are shown them."""

from typing import Final

from reporting.domain.handling import (
    FIRST_CONTACT,
    FIRST_REPLY,
    MTTA,
    MTTR,
    MTTR_WORKING,
    REASSIGNMENT_RATE,
    REOPEN_RATE,
    REPEAT_RATE,
    TIME_TO_CONTACT,
)
from reporting.domain.indicator import Indicator
from reporting.domain.standing import (
    ALERT_NOISE,
    BACKLOG,
    BACKLOG_GROWTH,
    CMDB_OWNERSHIP,
    MAJOR_INCIDENTS,
    SLA_AT_RISK,
    SLA_ATTAINMENT,
)

INDICATORS: Final[dict[str, Indicator]] = {
    found.name: found
    for found in (
        MTTA,
        MTTR,
        MTTR_WORKING,
        TIME_TO_CONTACT,
        FIRST_REPLY,
        FIRST_CONTACT,
        SLA_ATTAINMENT,
        SLA_AT_RISK,
        BACKLOG,
        BACKLOG_GROWTH,
        REOPEN_RATE,
        REASSIGNMENT_RATE,
        REPEAT_RATE,
        MAJOR_INCIDENTS,
        ALERT_NOISE,
        CMDB_OWNERSHIP,
    )
}
