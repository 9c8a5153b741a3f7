"""Indicators of how incidents are handled: times, first contact, moves, reopenings, repeats."""

from dataclasses import replace
from typing import Final

from reporting.domain.indicator import (
    CANCELLED,
    CANCELLED_ZH,
    CATEGORY_OF_INCIDENT,
    EACH_CLOCK,
    EACH_CLOCK_ZH,
    LATEST,
    LATEST_ZH,
    NO_CLOCK,
    NO_CLOCK_ZH,
    WALL,
    WALL_ZH,
    WORKING,
    WORKING_ZH,
    Indicator,
    Words,
)

MTTA: Final = Indicator(
    name="mtta",
    en=Words(
        "Mean time to acknowledge (平均响应时间)",
        "sum(acknowledged_at - opened_at) / number acknowledged; acknowledged_at is when a named person "
        "was first assigned or work first started, whichever came first; routing to a team does not count",
        f"Incidents whose latest resolution lies in the period. {CANCELLED} Those resolved without "
        "either are in `unacknowledged`, not in the mean.",
        WALL,
    ),
    zh=Words(
        "平均响应时间",
        "响应时长之和 / 已响应事件数；响应以首次指派到人或开始处理中较早者为准，仅分派到团队不算",
        f"最近一次解决时间在期间内的事件。{CANCELLED_ZH}未响应即解决的计入 unacknowledged，不计入均值。",
        WALL_ZH,
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
        LATEST,
        WALL,
    ),
    zh=Words("平均解决时间", "解决时长之和 / 已解决事件数；解决时间取最近一次", LATEST_ZH, WALL_ZH),
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
        "Resolution clocks of agreements with customers that stopped in the period and run no more; incidents without "
        f"such a promise have none. Cancelled clocks count nowhere. {EACH_CLOCK}",
        WORKING,
    ),
    zh=Words(
        "平均解决工时",
        "解决时钟已用秒数之和 / 已停止的解决时钟数",
        f"期间内停止且未再运行的、与客户协议的解决时钟；没有解决承诺的事件没有时钟。已取消的时钟不计。{EACH_CLOCK_ZH}",
        WORKING_ZH,
    ),
    value="value_seconds",
    table="fact_sla_clock",
    key="f.clock_id",
    instant="f.stopped_at",
    included="f.cancelled_at is null and f.kind = 'sla' and f.metric = 'resolution' and f.met is not null",
    numerator="f.elapsed_seconds",
    denominator="1",
    spread="f.elapsed_seconds",
    category=CATEGORY_OF_INCIDENT,
)

TIME_TO_CONTACT: Final = replace(
    MTTR_WORKING,
    name="time-to-contact",
    en=Words(
        "Time from dispatch to first contact (派单至首次联系用时, R2)",
        "sum(elapsed_seconds of the contact clock) / number of such clocks that stopped",
        "Contact clocks of agreements with customers that stopped in the period: from the dispatch to a team until the "
        "requester was spoken to. `in_time` of them did so within the target; `sla-attainment` with `metric` contact "
        "counts those that are late and still wait too. Cancelled clocks count nowhere.",
        WORKING,
    ),
    zh=Words(
        "派单至首次联系用时（R2）",
        "首次联系时钟已用秒数之和 / 已停止的首次联系时钟数",
        "期间内停止的、与客户协议的首次联系时钟：从派单到团队起，到与报告人通话止。其中按时的计入 in_time；"
        "sla-attainment 的 metric 取 contact 时，已超时仍未联系的也计入。已取消的时钟不计。",
        WORKING_ZH,
    ),
    included="f.cancelled_at is null and f.kind = 'sla' and f.metric = 'contact' and f.met is not null",
    details={"in_time": "f.met::integer"},
)

FIRST_REPLY: Final = Indicator(
    name="first-reply",
    en=Words(
        "First response time (首次回复时间)",
        "sum(first_reply_at - opened_at) / number answered; first_reply_at is the first public note by somebody other "
        "than the requester",
        f"Incidents whose latest resolution lies in the period. {CANCELLED} Those never answered are in "
        "`unanswered`, not in the mean.",
        WALL,
    ),
    zh=Words(
        "首次回复时间",
        "首次回复时长之和 / 已回复事件数；首次回复为报告人以外的人写的第一条公开备注",
        f"最近一次解决时间在期间内的事件。{CANCELLED_ZH}从未回复的计入 unanswered，不计入均值。",
        WALL_ZH,
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
        LATEST,
        NO_CLOCK,
    ),
    zh=Words("首次解决率", "由首个团队解决、未转派且从未重开的事件数 / 已解决事件数", LATEST_ZH, NO_CLOCK_ZH),
    value="ratio",
    table="fact_incident",
    key="f.incident_id",
    instant="f.resolved_at",
    included="f.cancelled_at is null",
    numerator="(f.reassignment_count = 0 and f.reopen_count = 0)::integer",
    denominator="1",
)

# Few are ever reopened: those are found once, and only they are looked at one by one.
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
    numerator="""(f.incident_id in (select incident_id from fact_incident_event where event_type = 'IncidentReopened')
    and exists (
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
        f"{LATEST} The team of a group is the one that is responsible now.",
        NO_CLOCK,
    ),
    zh=Words("转派率", "团队间转派次数之和 / 已解决事件数", f"{LATEST_ZH}分组团队为当前团队。", NO_CLOCK_ZH),
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
        f"Incidents opened in the period that name a configuration item and a category. {CANCELLED}",
        "Wall time",
    ),
    zh=Words(
        "重复发生率",
        "within_days 乘 24 小时内同一配置项、同一类别曾发生过事件的事件数 / 有配置项和类别的事件数",
        f"期间内受理且写明配置项和类别的事件。{CANCELLED_ZH}",
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
