"""What a Chinese service desk reads when a rule refuses: one sentence for each code, saying what to do."""

from typing import Final

ZH: Final[dict[str, str]] = {
    "R13": "承诺须写明时间。请填写 promised_at：告知用户何时继续处理。",
    "R16": "解决工单须填写故障责任归属：局端（provider）、第三方（third_party）或客户端（customer）。",
    "alert_of_this_incident": "该告警属于另一张工单。",
    "booked_at_is_past": "预约时间必须晚于本次操作时间。",
    "cancelled_is_final": "工单已取消，取消后不可再操作。请另开新工单。",
    "closed_is_final": "工单已关闭，关闭后不可再操作。请另开新工单并注明原工单号。",
    "contact_needs_a_team": "尚无处理组负责。请先指派，再联系用户。",
    "held_for_one_reason_at_a_time": "工单已处于挂起状态。请先恢复，再以新的原因或承诺挂起。",
    "held_work_is_resumed": "工单处于挂起状态，请使用“恢复”。",
    "in_the_future": "发生时间不能晚于当前时间。",
    "not_alertmanager": "这不是 Alertmanager 第 4 版 webhook 的内容，请发送带有 alerts 列表的对象。",
    "only_held_work_is_resumed": "工单未处于挂起状态，请使用“开始处理”。",
    "only_resolved_is_closed": "只有已解决的工单才能关闭，请先解决。",
    "only_resolved_is_reopened": "工单尚未解决，请继续处理。",
    "only_work_in_progress_is_held": "只有处理中的工单才能挂起，请先开始处理。",
    "opened_once": "该工单已经开立，请另开新工单。",
    "organisation_missing": "请指明所属机构。",
    "promised_at_is_past": "承诺时间必须晚于本次操作时间。",
    "requester_forbidden": "您只能为自己报障，请不要填写 requester。",
    "resolution_is_stated": "请用文字说明如何恢复服务。",
    "resolved_is_not_cancelled": "工单已经解决，说明故障确实发生过，请关闭而不是取消。",
    "resolved_is_reopened_first": "工单已解决，请先重新打开。",
    "resolved_once": "工单已经解决。如解决方式有变，请先重新打开。",
    "workaround_is_stated": "请用文字说明临时如何使用服务。",
    "work_needs_a_team": "尚无处理组负责。请先指派，再开始处理。",
}
