"""What each indicator is: its formula, population, clock and unit, in words that go out with every figure.

An indicator says what each row of a fact adds to its numerator and its denominator; `queries` adds them up, and lists
the rows themselves for whoever wants to see what is behind a figure. Averages are never averaged: every figure is one
numerator over one denominator.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal

Name = Literal[
    "mtta",
    "mttr",
    "mttr-working",
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
    `within` is the default of `within_days`, which `{within}` stands for; `key` is text, one for each row.
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
    has_metric: bool = False

    @property
    def told(self) -> tuple[str, ...]:
        """What goes out beside the value, numerator and denominator, in order."""
        return (*(("median_seconds", "p90_seconds") if self.spread else ()), *self.details)


AGES: Final = (
    ("age_under_1_day", timedelta(0)),
    ("age_1_to_3_days", timedelta(days=1)),
    ("age_3_to_7_days", timedelta(days=3)),
    ("age_7_to_30_days", timedelta(days=7)),
    ("age_over_30_days", timedelta(days=30)),
)
"""Classes of age and where each begins; it ends where the next one begins. Days are of 24 hours."""

_BELOW: Final = [*(least for _, least in AGES[1:]), None]


def _aged(least: timedelta, below: timedelta | None) -> str:
    """1 if the age is at least `least` and less than `below`."""
    age = "bucket.at - f.opened_at"
    upper = "" if below is None else f" and {age} < interval '{below.days} days'"
    return f"({age} >= interval '{least.days} days'{upper})::integer"


_CANCELLED = "Cancelled incidents count nowhere."
_CANCELLED_ZH = "已取消的事件不计。"
_LATEST = f"Incidents whose latest resolution lies in the period and that were not reopened since. {_CANCELLED}"
_LATEST_ZH = f"最近一次解决时间在期间内且此后未重开的事件。{_CANCELLED_ZH}"
_WALL = "Wall seconds, holds included"
_WALL_ZH = "自然时间秒数，含挂起"
_NO_CLOCK = "None; counts"
_NO_CLOCK_ZH = "无，仅计数"
_CATEGORY_OF_INCIDENT = "(select i.category from fact_incident i where i.incident_id = f.incident_id)"

MTTA: Final = Indicator(
    name="mtta",
    en=Words(
        "Mean time to acknowledge (平均响应时间)",
        "sum(acknowledged_at - opened_at) / number acknowledged; acknowledged_at is when a named person "
        "was first assigned or work first started, whichever came first; routing to a team does not count",
        f"Incidents whose latest resolution lies in the period. {_CANCELLED} Those resolved without "
        "either are in `unacknowledged`, not in the mean.",
        _WALL,
    ),
    zh=Words(
        "平均响应时间",
        "响应时长之和 / 已响应事件数；响应以首次指派到人或开始处理中较早者为准，仅分派到团队不算",
        f"最近一次解决时间在期间内的事件。{_CANCELLED_ZH}未响应即解决的计入 unacknowledged，不计入均值。",
        _WALL_ZH,
    ),
    value="value_seconds",
    table="fact_incident",
    key="f.incident_id",
    instant="f.resolved_at",
    included="f.cancelled_at is null",
    numerator="f.seconds_to_acknowledge",
    denominator="(f.seconds_to_acknowledge is not null)::integer",
    details={"unacknowledged": "(f.seconds_to_acknowledge is null)::integer"},
    spread="f.seconds_to_acknowledge",
)

MTTR: Final = Indicator(
    name="mttr",
    en=Words(
        "Mean time to resolve (平均解决时间)",
        "sum(resolved_at - opened_at) / number resolved; resolved_at is the latest resolution",
        _LATEST,
        _WALL,
    ),
    zh=Words("平均解决时间", "解决时长之和 / 已解决事件数；解决时间取最近一次", _LATEST_ZH, _WALL_ZH),
    value="value_seconds",
    table="fact_incident",
    key="f.incident_id",
    instant="f.resolved_at",
    included="f.cancelled_at is null",
    numerator="f.seconds_to_resolve",
    denominator="(f.seconds_to_resolve is not null)::integer",
    spread="f.seconds_to_resolve",
)

MTTR_WORKING: Final = Indicator(
    name="mttr-working",
    en=Words(
        "Mean working time to resolve (平均解决工时)",
        "sum(elapsed_seconds of the resolution clock) / number of such clocks that stopped",
        "Resolution clocks that stopped in the period and run no more; incidents without such a promise have none. "
        "Cancelled clocks count nowhere.",
        "Working seconds of each agreement's calendar, agreed pauses excluded",
    ),
    zh=Words(
        "平均解决工时",
        "解决时钟已用秒数之和 / 已停止的解决时钟数",
        "期间内停止且未再运行的解决时钟；没有解决承诺的事件没有时钟。已取消的时钟不计。",
        "各协议日历的工作时间秒数，扣除约定的暂停",
    ),
    value="value_seconds",
    table="fact_sla_clock",
    key="f.clock_id",
    instant="f.stopped_at",
    included="f.cancelled_at is null and f.metric = 'resolution' and f.met is not null",
    numerator="f.elapsed_seconds",
    denominator="1",
    spread="f.elapsed_seconds",
    category=_CATEGORY_OF_INCIDENT,
)

FIRST_REPLY: Final = Indicator(
    name="first-reply",
    en=Words(
        "First response time (首次回复时间)",
        "sum(first_reply_at - opened_at) / number answered; first_reply_at is the first public note by somebody other "
        "than the requester",
        f"Incidents whose latest resolution lies in the period. {_CANCELLED} Those never answered are in "
        "`unanswered`, not in the mean.",
        _WALL,
    ),
    zh=Words(
        "首次回复时间",
        "首次回复时长之和 / 已回复事件数；首次回复为报告人以外的人写的第一条公开备注",
        f"最近一次解决时间在期间内的事件。{_CANCELLED_ZH}从未回复的计入 unanswered，不计入均值。",
        _WALL_ZH,
    ),
    value="value_seconds",
    table="fact_incident",
    key="f.incident_id",
    instant="f.resolved_at",
    included="f.cancelled_at is null",
    numerator="f.seconds_to_first_reply",
    denominator="(f.seconds_to_first_reply is not null)::integer",
    details={"unanswered": "(f.seconds_to_first_reply is null)::integer"},
    spread="f.seconds_to_first_reply",
)

FIRST_CONTACT: Final = Indicator(
    name="first-contact-resolution",
    en=Words(
        "First contact resolution (首次解决率)",
        "resolved by the first team without reassignment and never reopened / all resolved",
        _LATEST,
        _NO_CLOCK,
    ),
    zh=Words("首次解决率", "由首个团队解决、未转派且从未重开的事件数 / 已解决事件数", _LATEST_ZH, _NO_CLOCK_ZH),
    value="ratio",
    table="fact_incident",
    key="f.incident_id",
    instant="f.resolved_at",
    included="f.cancelled_at is null",
    numerator="(f.reassignment_count = 0 and f.reopen_count = 0)::integer",
    denominator="1",
)

SLA_ATTAINMENT: Final = Indicator(
    name="sla-attainment",
    en=Words(
        "SLA attainment (服务级别达标率)",
        "met / (met + missed + breached and still running)",
        "Clocks decided in the period: a kept promise at the instant it was kept, a broken one at the instant "
        "its target passed, even while it still runs. Withdrawn breaches and cancelled clocks do not count. Response "
        "and resolution clocks together unless `metric` names one.",
        "Working seconds of each agreement's calendar, agreed pauses excluded",
    ),
    zh=Words(
        "服务级别达标率",
        "达标 / (达标 + 未达标 + 已超时仍在运行)",
        "期间内判定的时钟：达标的按完成时刻，超时的按目标到期时刻，即使仍在运行。已撤销的超时和已取消的时钟不计。"
        "未指定 metric 时响应与解决时钟合计。",
        "各协议日历的工作时间秒数，扣除约定的暂停",
    ),
    value="ratio",
    table="fact_sla_clock",
    key="f.clock_id",
    instant="f.decided_at",
    included="f.cancelled_at is null",
    numerator="(f.met is true)::integer",
    denominator="1",
    details={
        "missed": "(f.met is false)::integer",
        "breached_running": "(f.met is null)::integer",
        "provisional": "f.provisional::integer",
    },
    category=_CATEGORY_OF_INCIDENT,
    has_metric=True,
)

SLA_AT_RISK: Final = Indicator(
    name="sla-at-risk",
    en=Words(
        "SLA at risk (服务级别临近超时)",
        "running clocks that reached the first warning of their agreement / running clocks that are not breached",
        "Clocks that run or are paused now, have a target and have not breached it. The risk begins at the share of "
        "the target at which the agreement warns first, 75 % by default; a warning of an earlier target counts too. "
        "The mart keeps the present only, so no past instant can be asked for.",
        "Working seconds of each agreement's calendar, agreed pauses excluded",
    ),
    zh=Words(
        "服务级别临近超时",
        "已到首次预警的运行中时钟 / 未超时的运行中时钟",
        "当前运行或暂停、有目标且未超时的时钟。风险从协议的首次预警比例开始，默认 75 %；先前目标的预警也计入。"
        "只保存现状，不能查询过去时刻。",
        "各协议日历的工作时间秒数，扣除约定的暂停",
    ),
    value="ratio",
    table="fact_sla_clock",
    key="f.clock_id",
    instant="f.started_at",
    included="f.stopped_at is null and f.breached_at is null and f.cancelled_at is null"
    " and f.target_seconds is not null",
    numerator="(f.warned_at is not null)::integer",
    denominator="1",
    moment="now",
    category=_CATEGORY_OF_INCIDENT,
    has_metric=True,
)

BACKLOG: Final = Indicator(
    name="backlog",
    en=Words(
        "Backlog (未结事件)",
        "number of incidents open at the instant; ages are from opened_at to the instant",
        "Incidents that were open at the instant: opened by then, and neither resolved, closed nor cancelled by then "
        "unless reopened by then. Team and priority are those of that instant.",
        "Wall time",
    ),
    zh=Words(
        "未结事件",
        "该时刻未结的事件数；龄期从受理到该时刻",
        "该时刻处于未结状态的事件：此前受理，且此前未解决、关闭或取消，或此前已重开。团队与优先级取该时刻的值。",
        "自然时间",
    ),
    value="count",
    table="fact_incident_stretch",
    key="f.incident_id",
    instant="f.began_at",
    included="f.began_at <= bucket.at and f.ended_at > bucket.at",
    numerator="1",
    details={name: _aged(least, below) for (name, least), below in zip(AGES, _BELOW, strict=True)},
    moment="instant",
)

BACKLOG_GROWTH: Final = Indicator(
    name="backlog-growth",
    en=Words(
        "Backlog growth (未结增长)",
        "opened + reopened - resolved - cancelled",
        "Events in the period; one incident may have several. Team and priority are those after each event.",
        _NO_CLOCK,
    ),
    zh=Words(
        "未结增长",
        "受理 + 重开 - 解决 - 取消",
        "期间内的事件流水；同一事件单可有多条。团队与优先级取各条之后的值。",
        _NO_CLOCK_ZH,
    ),
    value="count",
    table="fact_incident_event",
    key="f.event_id",
    instant="f.occurred_at",
    included="f.event_type in ('IncidentOpened', 'IncidentReopened', 'IncidentResolved', 'IncidentCancelled')",
    numerator="case when f.event_type in ('IncidentOpened', 'IncidentReopened') then 1 else -1 end",
    details={
        name: f"(f.event_type = '{kind}')::integer"
        for name, kind in (
            ("opened", "IncidentOpened"),
            ("reopened", "IncidentReopened"),
            ("resolved", "IncidentResolved"),
            ("cancelled", "IncidentCancelled"),
        )
    },
)

REOPEN_RATE: Final = Indicator(
    name="reopen-rate",
    en=Words(
        "Reopen rate (重开率)",
        "resolutions followed by a reopening within `within_days` times 24 hours / all resolutions",
        "Resolutions in the period; an incident that is resolved twice counts twice. Those younger than `within_days` "
        "may still be reopened. Team and priority are those at the resolution.",
        "Wall time",
    ),
    zh=Words(
        "重开率",
        "within_days 乘 24 小时内被重开的解决数 / 全部解决数",
        "期间内的解决；同一事件解决两次计两次。不足 within_days 的解决仍可能被重开。团队与优先级取解决时的值。",
        "自然时间",
    ),
    value="ratio",
    table="fact_incident_event",
    key="f.event_id",
    instant="f.occurred_at",
    included="f.event_type = 'IncidentResolved'",
    numerator="""(exists (
      select from fact_incident_event r where r.incident_id = f.incident_id and r.version > f.version
        and r.event_type = 'IncidentReopened' and r.occurred_at <= f.occurred_at + interval '{within} days'
    ))::integer""",
    denominator="1",
    within=7,
)

REASSIGNMENT_RATE: Final = Indicator(
    name="reassignment-rate",
    en=Words(
        "Reassignment rate (转派率)",
        "sum of moves from one team to another / number resolved",
        f"{_LATEST} The team of a group is the one that is responsible now.",
        _NO_CLOCK,
    ),
    zh=Words("转派率", "团队间转派次数之和 / 已解决事件数", f"{_LATEST_ZH}分组团队为当前团队。", _NO_CLOCK_ZH),
    value="ratio",
    table="fact_incident",
    key="f.incident_id",
    instant="f.resolved_at",
    included="f.cancelled_at is null",
    numerator="f.reassignment_count",
    denominator="1",
    details={"reassigned": "(f.reassignment_count > 0)::integer"},
)

REPEAT_RATE: Final = Indicator(
    name="repeat-rate",
    en=Words(
        "Repeat rate (重复发生率)",
        "incidents with an earlier one of the same item and category opened at most `within_days` times 24 hours "
        "before / all with item and category",
        f"Incidents opened in the period that name a configuration item and a category. {_CANCELLED}",
        "Wall time",
    ),
    zh=Words(
        "重复发生率",
        "within_days 乘 24 小时内同一配置项、同一类别曾发生过事件的事件数 / 有配置项和类别的事件数",
        f"期间内受理且写明配置项和类别的事件。{_CANCELLED_ZH}",
        "自然时间",
    ),
    value="ratio",
    table="fact_incident",
    key="f.incident_id",
    instant="f.opened_at",
    included="f.cancelled_at is null and f.configuration_item is not null and f.category is not null",
    numerator="""(exists (
      select from fact_incident p where p.configuration_item = f.configuration_item and p.category = f.category
        and p.cancelled_at is null and p.opened_at < f.opened_at
        and p.opened_at >= f.opened_at - interval '{within} days'
        and p.organisation is not distinct from f.organisation
    ))::integer""",
    denominator="1",
    within=30,
)

MAJOR_INCIDENTS: Final = Indicator(
    name="major-incidents",
    en=Words(
        "Major incidents (重大事件)",
        "number of incidents of priority 1",
        f"Incidents opened in the period whose priority is 1 now. {_CANCELLED}",
        _NO_CLOCK,
    ),
    zh=Words("重大事件", "优先级为 1 的事件数", f"期间内受理且当前优先级为 1 的事件。{_CANCELLED_ZH}", _NO_CLOCK_ZH),
    value="count",
    table="fact_incident",
    key="f.incident_id",
    instant="f.opened_at",
    included="f.cancelled_at is null and f.priority_key = 1",
    numerator="1",
    details={"unresolved": "(f.ended_at is null)::integer"},
)

ALERT_NOISE: Final = Indicator(
    name="alert-noise",
    en=Words(
        "Alert noise (告警噪声)",
        "episodes of firing that opened no incident / all episodes",
        "Episodes that began in the period, of alerts behind an incident: the first opened it, later ones came to it. "
        "Repeats that monitoring sent while an alert fired, and alerts that were silenced or kept aside at the door, "
        "leave no event and are not in this figure.",
        _NO_CLOCK,
    ),
    zh=Words(
        "告警噪声",
        "未产生事件的触发次数 / 全部触发次数",
        "期间内开始的、与事件关联的告警触发：首次产生事件，其后归入该事件。触发期间监控重复发送的、"
        "以及入口处静默或搁置的告警不产生事件流水，不在此数内。",
        _NO_CLOCK_ZH,
    ),
    value="ratio",
    table="fact_alert",
    key="f.incident_id || '/' || f.episode_no",
    instant="f.began_at",
    included="true",
    numerator="(not f.opened_incident)::integer",
    denominator="1",
    details={"incidents_opened": "f.opened_incident::integer"},
)

CMDB_OWNERSHIP: Final = Indicator(
    name="cmdb-ownership",
    en=Words(
        "Ownership of configuration items (配置项责任完整率, R34)",
        "items with an owner team, and a named administrator and database administrator where their class needs them "
        "/ all items",
        "Configuration items that were registered at the instant and neither retired nor merged. What a class needs is "
        "what it needs now. The team of a group is the owner, the category its class.",
        "None; as of the instant",
    ),
    zh=Words(
        "配置项责任完整率（R34）",
        "有责任团队、且按类别要求写明系统管理员和数据库管理员的配置项数 / 全部配置项数",
        "该时刻已登记且未退役、未合并的配置项。类别要求取当前定义。分组团队为责任团队，类别为配置项类别。",
        "无，取该时刻",
    ),
    value="ratio",
    table="""(
      select i.item_id, i.key, i.name, i.item_class as category, i.owner_team, i.owner_team_key as team_key,
        i.organisation, i.administrator, i.database_administrator, i.lifecycle, i.merged_into, i.valid_from, i.valid_to,
        coalesce(c.needs_administrator, false) as needs_administrator,
        coalesce(c.needs_database_administrator, false) as needs_database_administrator, null::text as incident_id
      from dim_configuration_item i left join dim_item_class c using (item_class) where i.item_id <> '')""",
    key="f.item_id",
    instant="f.valid_from",
    included="f.valid_from <= bucket.at and f.valid_to > bucket.at and f.merged_into is null"
    " and f.lifecycle is distinct from 'retired'",
    numerator="""(f.owner_team is not null and (f.administrator is not null or not f.needs_administrator)
      and (f.database_administrator is not null or not f.needs_database_administrator))::integer""",
    denominator="1",
    details={
        "without_owner": "(f.owner_team is null)::integer",
        "without_administrator": "(f.administrator is null and f.needs_administrator)::integer",
        "without_database_administrator": "(f.database_administrator is null and f.needs_database_administrator)"
        "::integer",
    },
    moment="instant",
    groups=("team", "organisation", "category"),
    number="g.item_key",
    title="g.item_name",
)

INDICATORS: Final[dict[str, Indicator]] = {
    found.name: found
    for found in (
        MTTA,
        MTTR,
        MTTR_WORKING,
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
