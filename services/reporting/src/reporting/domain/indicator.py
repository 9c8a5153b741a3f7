"""What each indicator is: its formula, population, clock and unit, in words that go out with every figure.

An indicator says what each row of a fact adds to its numerator and its denominator; `queries` adds them up, and lists
the rows themselves for whoever wants to see what is behind a figure. Averages are never averaged: every figure is one
numerator over one denominator.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Name = Literal[
    "mtta",
    "mttr",
    "mttr-working",
    "time-to-contact",
    "first-reply",
    "first-contact-resolution",
    "sla-attainment",
    "sla-at-risk",
    "backlog",
    "backlog-growth",
    "reopen-rate",
    "reassignment-rate",
    "repeat-rate",
    "major-incidents",
    "alert-noise",
    "cmdb-ownership",
]
Moment = Literal["period", "instant", "now"]
KEYS: Final = ("priority", "team", "organisation", "service", "category")


@dataclass(frozen=True, slots=True)
class Words:
    """What people read of an indicator, in one language."""

    title: str
    formula: str
    population: str
    clock: str


@dataclass(frozen=True, slots=True)
class Indicator:
    """A definition. `value` names the answer's field; the rest is SQL over the fact `f`.

    `moment`: facts are counted over a period by `instant`, or as they stood at an instant, or only as they stand now.
    `numerator` and `denominator` are what one row adds, whole numbers; nothing where there is no denominator. `details`
    are sums that go out beside them. `spread` is an expression whose median and ninth decile are told; empty: none.
    `within` is the default of `within_days`, which `{within}` stands for; `key` is text, one for each row. `of_clocks`:
    it is told for one kind of agreement and, where asked, one metric. `team` is the key by which it knows a team.
    """

    name: Name
    en: Words
    zh: Words
    value: Literal["value_seconds", "ratio", "count"]
    table: str
    key: str
    instant: str
    included: str
    numerator: str
    denominator: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    spread: str = ""
    moment: Moment = "period"
    groups: tuple[str, ...] = KEYS
    category: str = "f.category"
    within: int = 0
    number: str = "i.number"
    title: str = "i.title"
    team: str = "f.team_key"
    of_clocks: bool = False

    @property
    def told(self) -> tuple[str, ...]:
        """What goes out beside the value, numerator and denominator, in order."""
        return (*(("median_seconds", "p90_seconds") if self.spread else ()), *self.details)


CANCELLED: Final = "Cancelled incidents count nowhere."
CANCELLED_ZH: Final = "已取消的事件不计。"
LATEST: Final = f"Incidents whose latest resolution lies in the period and that were not reopened since. {CANCELLED}"
LATEST_ZH: Final = f"最近一次解决时间在期间内且此后未重开的事件。{CANCELLED_ZH}"
WALL: Final = "Wall seconds, holds included"
WALL_ZH: Final = "自然时间秒数，含挂起"
NO_CLOCK: Final = "None; counts"
NO_CLOCK_ZH: Final = "无，仅计数"
WORKING: Final = "Working seconds of each agreement's calendar, agreed pauses excluded"
WORKING_ZH: Final = "各协议日历的工作时间秒数，扣除约定的暂停"
EACH_CLOCK: Final = (
    "Each clock counts by itself: where an agreement begins a second one for a reopening, or one for each update or "
    "team, an incident counts once for each of them."
)
EACH_CLOCK_ZH: Final = "逐个时钟计数：协议规定重开时另起时钟，或按每次反馈、每个团队各有时钟的，同一事件计多次。"
CATEGORY_OF_INCIDENT: Final = "(select i.category from fact_incident i where i.incident_id = f.incident_id)"
