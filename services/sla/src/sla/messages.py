"""What a Chinese service desk reads when a rule refuses: one sentence for each code, saying what to do."""

from typing import Final

ZH: Final[dict[str, str]] = {
    "bad_instant": "请给出带时区偏移的 RFC 3339 时间，例如 2026-11-22T08:30:00+08:00。",
    "before_start": "该时间早于时钟的起算时间。",
    "beyond_horizon": "在可计算的年限内达不到该工作时长。请缩短目标，或选择开放时间更多的日历。",
    "clock_starts_once": "该时钟已经启动。",
    "id_taken": "该标识已用于另一类定义，请换一个标识。",
    "not_yet": "as_of 晚于目前所知的一切。请省略，或给出更早的时间。",
    "selector_taken": "已有协议适用于同一机构和服务。请替换该协议，或另选适用范围。",
    "target_out_of_reach": "有协议的目标在这些工作时间内永远无法到达。请增加开放时间，或先缩短目标。",
}
