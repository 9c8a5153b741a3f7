"""Indicators of promises, of what is open, of alerts, and of who answers for configuration items."""

from datetime import timedelta
from typing import Final

from reporting.domain.indicator import (
    CANCELLED,
    CANCELLED_ZH,
    CATEGORY_OF_INCIDENT,
    EACH_CLOCK,
    EACH_CLOCK_ZH,
    NO_CLOCK,
    NO_CLOCK_ZH,
    WORKING,
    WORKING_ZH,
    Indicator,
    Words,
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


def _aged(least: timedelta, below: timedelta | None) -> str:
    """1 if the age is at least `least` and less than `below`."""
    age = "bucket.at - f.opened_at"
    upper = "" if below is None else f" and {age} < interval '{below.days} days'"
    return f"({age} >= interval '{least.days} days'{upper})::integer"


_KINDS: Final = (
    "Only agreements with customers unless `kind` is ola (own teams) or uc (vendors' teams, R83), whose team is the "
    "one that is measured, wherever the incident is now. All metrics together unless `metric` names one."
)
_KINDS_ZH: Final = (
    "只统计与客户的协议，除非 kind 为 ola（内部团队）或 uc（供应商团队，R83）；"
    "这两类的团队指被衡量的团队，与事件现在哪个团队无关。未指定 metric 时各指标合计。"
)
_MEASURED: Final = "case when f.kind = 'sla' then f.team_key else f.party_key end"

SLA_ATTAINMENT: Final = Indicator(
    name="sla-attainment",
    en=Words(
        "SLA attainment (服务级别达标率)",
        "met / (met + missed + breached and still running)",
        "Clocks decided in the period: a kept promise at the instant it was kept, a broken one at the instant "
        "its target passed, even while it still runs. Withdrawn breaches and cancelled clocks do not count. "
        f"{_KINDS} {EACH_CLOCK}",
        WORKING,
    ),
    zh=Words(
        "服务级别达标率",
        "达标 / (达标 + 未达标 + 已超时仍在运行)",
        "期间内判定的时钟：达标的按完成时刻，超时的按目标到期时刻，即使仍在运行。已撤销的超时和已取消的时钟不计。"
        f"{_KINDS_ZH}{EACH_CLOCK_ZH}",
        WORKING_ZH,
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
    category=CATEGORY_OF_INCIDENT,
    team=_MEASURED,
    of_clocks=True,
)

SLA_AT_RISK: Final = Indicator(
    name="sla-at-risk",
    en=Words(
        "SLA at risk (服务级别临近超时)",
        "running clocks that reached the first warning of their agreement / running clocks that are not breached",
        "Clocks that run or are paused now, have a target and have not breached it. The risk begins at the share of "
        "the target at which the agreement warns first, 75 % by default; a warning of an earlier target counts too. "
        f"The mart keeps the present only, so no past instant can be asked for. {_KINDS}",
        WORKING,
    ),
    zh=Words(
        "服务级别临近超时",
        "已到首次预警的运行中时钟 / 未超时的运行中时钟",
        "当前运行或暂停、有目标且未超时的时钟。风险从协议的首次预警比例开始，默认 75 %；先前目标的预警也计入。"
        f"只保存现状，不能查询过去时刻。{_KINDS_ZH}",
        WORKING_ZH,
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
    category=CATEGORY_OF_INCIDENT,
    team=_MEASURED,
    of_clocks=True,
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
        NO_CLOCK,
    ),
    zh=Words(
        "未结增长",
        "受理 + 重开 - 解决 - 取消",
        "期间内的事件流水；同一事件单可有多条。团队与优先级取各条之后的值。",
        NO_CLOCK_ZH,
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

MAJOR_INCIDENTS: Final = Indicator(
    name="major-incidents",
    en=Words(
        "Major incidents (重大事件)",
        "number of incidents of priority 1",
        f"Incidents opened in the period whose priority is 1 now. {CANCELLED}",
        NO_CLOCK,
    ),
    zh=Words("重大事件", "优先级为 1 的事件数", f"期间内受理且当前优先级为 1 的事件。{CANCELLED_ZH}", NO_CLOCK_ZH),
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
        NO_CLOCK,
    ),
    zh=Words(
        "告警噪声",
        "未产生事件的触发次数 / 全部触发次数",
        "期间内开始的、与事件关联的告警触发：首次产生事件，其后归入该事件。触发期间监控重复发送的、"
        "以及入口处静默或搁置的告警不产生事件流水，不在此数内。",
        NO_CLOCK_ZH,
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
