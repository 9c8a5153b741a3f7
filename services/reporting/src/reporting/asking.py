"""What a caller asks of an indicator: its parameters read and checked against what the indicator can tell."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opsledger_runtime.errors import FieldError, Invalid
from reporting import drill
from reporting.domain.indicator import Indicator
from reporting.domain.periods import Bucket, Period, read_moment, read_period, read_zone
from reporting.queries import Filters, Grouping, buckets_of

_TIMES = ("day", "week", "month")


@dataclass(frozen=True, slots=True)
class Asked:
    """An indicator over a period, or at the instant at which the period begins and ends."""

    indicator: Indicator
    period: Period
    grouping: Grouping
    filters: Filters

    def bucket(self, group: str | None, now: datetime) -> Bucket:
        """The part of the period that a group of time names; of other groups, the whole.

        Raises:
            Invalid: the period has no such part.
        """
        buckets = buckets_of(self.indicator, self.period, self.grouping, now)
        if self.grouping not in _TIMES:
            return buckets[0]
        found = [bucket for bucket in buckets if bucket.label == group]
        if not found:
            raise wrong("group", f"Name a {self.grouping} of the period, as the figure's rows do in `group`.")
        return found[0]

    def linked(self, rows: list[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
        """Rows of figures, each with where the rows behind it are."""
        buckets = buckets_of(self.indicator, self.period, self.grouping, now)
        parts = {bucket.label: bucket for bucket in buckets} if self.grouping in _TIMES else {}

        def link(group: str | None) -> str:
            bucket = parts[group] if parts and group is not None else buckets[0]
            return drill.link(self.indicator, self.period, self.grouping, group, bucket, self.filters)

        return [{**row, "incidents": link(row["group"])} for row in rows]

    def constants(self) -> dict[str, Any]:
        """What explains a file of figures."""
        period, words = self.period.described(), self.indicator.en
        return {
            "group_by": self.grouping,
            "indicator": self.indicator.name,
            "from": period["from"],
            "to": period["to"],
            "time_zone": period["time_zone"],
            "formula": words.formula,
            "population": words.population,
            "clock": words.clock,
        }

    def constants_zh(self) -> dict[str, Any]:
        """The words of `constants` in Chinese, with the filters."""
        words = self.indicator.zh
        said = {"指标": words.title, "公式": words.formula, "统计范围": words.population, "计时": words.clock}
        return {**said, **{name: value for name, value in self.filters.shown().items() if value is not None}}


def described(indicator: Indicator) -> dict[str, Any]:
    """What goes out with every figure."""
    en, zh = indicator.en, indicator.zh
    return {
        "indicator": indicator.name,
        "title": en.title,
        "formula": en.formula,
        "population": en.population,
        "clock": en.clock,
        "title_zh": zh.title,
        "formula_zh": zh.formula,
        "population_zh": zh.population,
        "clock_zh": zh.clock,
        "moment": indicator.moment,
        "groups": ["none", *indicator.groups, *(() if indicator.moment == "now" else _TIMES)],
    }


def read(
    indicator: Indicator,
    filters: Filters,
    now: datetime,
    begins: str | None,
    ends: str | None,
    at: str | None,
    time_zone: str,
    grouping: Grouping,
) -> Asked:
    """What is asked, checked.

    Raises:
        Invalid: a value that means nothing, or a parameter that the indicator has no use for.
    """
    _check_fits(indicator, filters, at, grouping)
    return Asked(indicator, _period(indicator, now, begins, ends, at, time_zone, grouping), grouping, filters)


def _period(
    indicator: Indicator,
    now: datetime,
    begins: str | None,
    ends: str | None,
    at: str | None,
    time_zone: str,
    grouping: Grouping,
) -> Period:
    zone = read_zone(time_zone)
    if indicator.moment == "period" or (indicator.moment == "instant" and grouping in _TIMES):
        if at is not None and indicator.moment == "instant":
            raise wrong("at", "Groups of time are counted at each one's end. Leave `at` out or group otherwise.")
        return read_period(begins, ends, zone, now)
    if indicator.moment == "now":
        if begins is not None or ends is not None or at is not None:
            raise wrong("at", f"{indicator.name} is as things stand now. Leave `from`, `to` and `at` out.")
        return Period(now, now, zone)
    if begins is not None or ends is not None:
        raise wrong(
            "at", f"{indicator.name} is at an instant: give `at`, or group by day, week or month with `from` and `to`."
        )
    instant = now if at is None else read_moment(at, zone, now)
    return Period(instant, instant, zone)


def _check_fits(indicator: Indicator, filters: Filters, at: str | None, grouping: Grouping) -> None:
    if at is not None and indicator.moment == "period":
        raise wrong("at", f"{indicator.name} is over a period. Give `from` and `to`.")
    for name in ("metric", "kind"):
        if getattr(filters, name) is not None and not indicator.of_clocks:
            raise wrong(name, f"Only sla-attainment and sla-at-risk have {name}s.")
    if filters.within_days is not None and not indicator.within:
        raise wrong("within_days", "Only reopen-rate and repeat-rate look so many days.")
    if grouping in _TIMES and indicator.moment == "now":
        raise wrong("group_by", f"{indicator.name} is as things stand now and has no groups of time.")
    if grouping != "none" and grouping not in _TIMES and grouping not in indicator.groups:
        raise wrong("group_by", f"{indicator.name} has no {grouping}.")
    for name in ("priority", "service"):
        if getattr(filters, name) is not None and name not in indicator.groups:
            raise wrong(name, f"{indicator.name} has no {name}.")


def wrong(parameter: str, detail: str) -> Invalid:
    """A refusal that names the parameter."""
    return Invalid(f"{parameter}: {detail}", [FieldError(f"/{parameter}", detail)])
