"""What each indicator is: its formula, population, clock and unit, in words that go out with every figure.

The SQL beside each definition is only the part that differs; `queries` puts it together. Averages are never averaged:
every figure is one numerator over one denominator.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

Name = Literal["mtta", "mttr", "sla-attainment", "backlog"]


@dataclass(frozen=True, slots=True)
class Indicator:
    """A definition. `value` names the answer's field; `columns` is SQL over the fact `f`.

    `details` names those of its columns that go out beside numerator and denominator. `spread` is an expression over
    `f` whose median and ninth decile are columns too, `median_seconds` and `p90_seconds`; empty: none.
    """

    name: Name
    title: str
    formula: str
    population: str
    clock: str
    value: Literal["value_seconds", "ratio", "count"]
    table: str
    instant: str
    included: str
    columns: str
    details: tuple[str, ...]
    spread: str = ""


_CANCELLED = "Cancelled incidents count nowhere."

MTTA: Final = Indicator(
    name="mtta",
    title="Mean time to acknowledge (平均响应时间)",
    formula="sum(acknowledged_at - opened_at) / number acknowledged; acknowledged_at is when a named person "
    "was first assigned or work first started, whichever came first; routing to a team does not count",
    population=f"Incidents whose latest resolution lies in the period. {_CANCELLED} Those resolved without "
    "either are in `unacknowledged`, not in the mean.",
    clock="Wall seconds, holds included",
    value="value_seconds",
    table="fact_incident",
    instant="f.resolved_at",
    included="f.cancelled_at is null",
    columns="""
      coalesce(sum(f.seconds_to_acknowledge), 0)::bigint as numerator,
      count(f.seconds_to_acknowledge) as denominator,
      count(*) - count(f.seconds_to_acknowledge) as unacknowledged""",
    details=("median_seconds", "p90_seconds", "unacknowledged"),
    spread="f.seconds_to_acknowledge",
)

MTTR: Final = Indicator(
    name="mttr",
    title="Mean time to resolve (平均解决时间)",
    formula="sum(resolved_at - opened_at) / number resolved; resolved_at is the latest resolution",
    population=f"Incidents whose latest resolution lies in the period and that were not reopened since. {_CANCELLED}",
    clock="Wall seconds, holds included",
    value="value_seconds",
    table="fact_incident",
    instant="f.resolved_at",
    included="f.cancelled_at is null",
    columns="""
      coalesce(sum(f.seconds_to_resolve), 0)::bigint as numerator,
      count(f.seconds_to_resolve) as denominator""",
    details=("median_seconds", "p90_seconds"),
    spread="f.seconds_to_resolve",
)

SLA_ATTAINMENT: Final = Indicator(
    name="sla-attainment",
    title="SLA attainment (服务级别达标率)",
    formula="met / (met + missed + breached and still running)",
    population="Clocks decided in the period: a kept promise at the instant it was kept, a broken one at the instant "
    "its target passed, even while it still runs. Withdrawn breaches and cancelled clocks do not count. Response and "
    "resolution clocks together unless `metric` names one.",
    clock="Working seconds of each agreement's calendar, agreed pauses excluded",
    value="ratio",
    table="fact_sla_clock",
    instant="f.decided_at",
    included="f.cancelled_at is null",
    columns="""
      count(*) filter (where f.met) as numerator,
      count(*) as denominator,
      count(*) filter (where not f.met) as missed,
      count(*) filter (where f.met is null) as breached_running,
      count(*) filter (where f.provisional) as provisional""",
    details=("missed", "breached_running", "provisional"),
)


AGES: Final = (
    ("age_under_1_day", timedelta(0)),
    ("age_1_to_3_days", timedelta(days=1)),
    ("age_3_to_7_days", timedelta(days=3)),
    ("age_7_to_30_days", timedelta(days=7)),
    ("age_over_30_days", timedelta(days=30)),
)
"""Classes of age and where each begins; it ends where the next one begins. Days are of 24 hours."""

_BELOW: Final = [*(least for _, least in AGES[1:]), None]


def _aged(name: str, least: timedelta, below: timedelta | None) -> str:
    """A count of those whose age is at least `least` and less than `below`."""
    age = "bucket.at - f.opened_at"
    upper = "" if below is None else f" and {age} < interval '{below.days} days'"
    return f"count(*) filter (where {age} >= interval '{least.days} days'{upper}) as {name}"


BACKLOG: Final = Indicator(
    name="backlog",
    title="Backlog (未结事件)",
    formula="number of incidents open at the instant; ages are from opened_at to the instant",
    population="Incidents opened at or before the instant and neither resolved, closed nor cancelled by then. For a "
    "past instant, one that was reopened later counts as open ever since it was opened, because the fact keeps "
    "only the latest resolution.",
    clock="Wall time",
    value="count",
    table="fact_incident",
    instant="f.opened_at",
    included="f.opened_at <= bucket.at and (f.ended_at is null or f.ended_at > bucket.at)",
    columns=", ".join(
        (
            "count(*) as numerator",
            *(_aged(name, least, below) for (name, least), below in zip(AGES, _BELOW, strict=True)),
        )
    ),
    details=tuple(name for name, _ in AGES),
)

INDICATORS: Final[dict[str, Indicator]] = {found.name: found for found in (MTTA, MTTR, SLA_ATTAINMENT, BACKLOG)}
