"""The stories, each with the right figures computed by hand, and how each engine is known to differ.

Days are of November 2026 in Shanghai unless said: the 23rd is a Monday. Office hours are Monday to Friday, 9 to 18.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from tests.differential.hours import Hours
from tests.differential.scenario import Answer, Fault, Kind, Scenario, Step

OFFICE: Final = Hours("Asia/Shanghai", (0, 1, 2, 3, 4), 9, 18)
SHORTER: Final = Hours("Asia/Shanghai", (0, 1, 2, 3, 4), 10, 16)
ALWAYS: Final = Hours("Asia/Shanghai")
GOLDEN_WEEK: Final = replace(
    OFFICE, holidays=tuple(date(2026, 10, day) for day in range(1, 8)), make_up_days=(date(2026, 10, 10),)
)
BERLIN: Final = Hours("Europe/Berlin")

EXTRA: Final[Fault] = "counts time that does not count"
DROPS: Final[Fault] = "drops elapsed time"
EARLY: Final[Fault] = "due too early"
LATE: Final[Fault] = "due too late"
DUE_PAUSED: Final[Fault] = "a due time while paused"
MISSES: Final[Fault] = "misses the breach"
FALSE: Final[Fault] = "false breach"
OTHER_TIME: Final[Fault] = "breach at another time"


def t(text: str, zone: str = "Asia/Shanghai") -> datetime:
    """`23 09:00` of November 2026, or a full date and time, local."""
    full = text if len(text) > 11 else f"2026-11-{text}"
    return datetime.fromisoformat(full.replace(" ", "T")).replace(tzinfo=ZoneInfo(zone))


def h(hours: float) -> timedelta:
    """Hours."""
    return timedelta(hours=hours)


def step(at: str, kind: Kind, *, zone: str = "Asia/Shanghai", known: str | None = None, **given: Any) -> Step:
    """A step at a local time."""
    reason = given.pop("reason", "awaiting_requester" if kind == "hold" else "")
    return Step(t(at, zone), kind, reason=reason, known=None if known is None else t(known, zone), **given)


def right(due: str | None, elapsed: float, breached: str | None = None, zone: str = "Asia/Shanghai") -> Answer:
    """The figures computed by hand: local times, and hours."""
    return Answer(None if due is None else t(due, zone), h(elapsed), None if breached is None else t(breached, zone))


def differs(**engines: set[Fault]) -> Mapping[str, frozenset[Fault]]:
    """By the engines' short names."""
    names = {"glpi": "GLPI", "itop": "iTop", "zammad": "Zammad", "bk": "bk-itsm", "now": "ServiceNow"}
    names["retro"] = "ServiceNow, retroactive"
    return {names[engine]: frozenset(found) for engine, found in engines.items()}


SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario(
        "plain",
        "No pause, breached in the afternoon",
        OFFICE,
        t("23 09:00"),
        h(8),
        (),
        t("23 17:30"),
        right("23 17:00", 8.5, "23 17:00"),
        "8 h from 9:00 end at 17:00.",
    ),
    Scenario(
        "reasons",
        "Three holds, of which one must not pause",
        OFFICE,
        t("23 09:00"),
        h(8),
        (
            step("23 10:00", "hold"),
            step("23 11:00", "resume"),
            step("23 12:00", "hold", reason="awaiting_third_party"),
            step("23 13:00", "resume"),
            step("23 14:00", "hold", reason="lunch", pauses=False),
            step("23 15:00", "resume"),
        ),
        t("23 17:00"),
        right("24 10:00", 6),
        "Two pauses of 1 h: 9 of the 10 h are over at 18:00 on Monday, the last one ends at 10:00 on Tuesday.",
        differs(glpi={DROPS, LATE}, itop={DROPS, LATE}),
    ),
    Scenario(
        "pause_then_priority",
        "A pause, then another priority",
        OFFICE,
        t("23 09:00"),
        h(8),
        (step("23 10:00", "hold"), step("23 12:00", "resume"), step("23 13:00", "priority", target=h(6))),
        t("24 09:30"),
        right("23 17:00", 7.5, "23 17:00"),
        "1 h before the pause and 5 h from 12:00 make 6 h at 17:00.",
        differs(
            glpi={EXTRA, EARLY, OTHER_TIME},
            bk={DROPS, LATE, MISSES},
            now={DROPS, LATE, MISSES},
        ),
    ),
    Scenario(
        "exceeded_by_priority",
        "After a pause, a new target that is exceeded already",
        OFFICE,
        t("23 09:00"),
        h(8),
        (step("23 13:00", "hold"), step("23 14:00", "resume"), step("23 14:30", "priority", target=h(3))),
        t("23 15:00"),
        right("23 12:00", 5, "23 14:30"),
        "4.5 h have elapsed when 3 h become the target: breached at once. The third hour ended at 12:00.",
        differs(
            glpi={EXTRA},
            itop={LATE, MISSES},
            bk={DROPS, LATE, MISSES},
            now={DROPS, LATE, MISSES},
        ),
    ),
    Scenario(
        "priority_while_paused",
        "Another priority while paused",
        OFFICE,
        t("23 09:00"),
        h(8),
        (step("23 11:00", "hold"), step("23 12:00", "priority", target=h(16)), step("23 14:00", "resume")),
        t("23 16:00"),
        right("25 10:00", 4),
        "2 h before the pause; 14 h from 14:00 are 4 h on Monday, 9 h on Tuesday, 1 h on Wednesday.",
        differs(now={DROPS, LATE}),
    ),
    Scenario(
        "there_and_back",
        "The priority changed twice, back to what it was",
        OFFICE,
        t("23 09:00"),
        h(8),
        (step("23 10:00", "priority", target=h(4)), step("23 12:00", "priority", target=h(8))),
        t("23 16:00"),
        right("23 17:00", 7),
        "Nothing was paused, so 8 h from 9:00 end at 17:00 as before.",
        differs(bk={DROPS, LATE}, now={DROPS, LATE}),
    ),
    Scenario(
        "due_while_paused",
        "The first due time passes while paused",
        OFFICE,
        t("23 09:00"),
        h(4),
        (step("23 11:00", "hold"),),
        t("23 15:00"),
        right(None, 2),
        "2 h have elapsed; nothing runs, so nothing is due or breached.",
        differs(glpi={DUE_PAUSED, FALSE}),
    ),
    Scenario(
        "weekend",
        "A pause over a weekend",
        OFFICE,
        t("27 14:00"),
        h(8),
        (step("27 15:00", "hold"), step("30 11:00", "resume")),
        t("30 15:00"),
        right("30 18:00", 5),
        "1 h on Friday; the 7 h that are left, from 11:00 on Monday, end at 18:00.",
    ),
    Scenario(
        "zero",
        "A pause without length",
        OFFICE,
        t("23 09:00"),
        h(8),
        (step("23 10:00", "hold"), step("23 10:00", "resume")),
        t("23 12:00"),
        right("23 17:00", 3),
        "It changes nothing.",
    ),
    Scenario(
        "seconds",
        "A pause of 20 seconds over the turn of a minute",
        OFFICE,
        t("23 09:00"),
        h(8),
        (step("23 10:00:50", "hold"), step("23 10:01:10", "resume")),
        t("23 12:00"),
        right("23 17:00:20", 3 - 20 / 3600),
        "20 seconds are not counted, and the due time is 20 seconds later.",
        differs(zammad={DROPS, LATE}),
    ),
    Scenario(
        "night",
        "A hold at night",
        OFFICE,
        t("23 16:00"),
        h(4),
        (step("23 20:00", "hold"), step("24 08:00", "resume")),
        t("24 10:00"),
        right("24 11:00", 3),
        "Outside working hours nothing is counted anyway: 2 h on Monday, 2 h on Tuesday from 9:00.",
    ),
    Scenario(
        "reopened",
        "Resolved and reopened",
        OFFICE,
        t("23 09:00"),
        h(8),
        (step("23 11:00", "resolve"), step("23 15:00", "reopen")),
        t("23 17:00"),
        right("24 12:00", 4),
        "2 h before; 6 h from 15:00 are 3 h on Monday and 3 h on Tuesday.",
    ),
    Scenario(
        "reopened_after_due",
        "Resolved in time, reopened after the due time",
        OFFICE,
        t("23 09:00"),
        h(4),
        (step("23 12:00", "resolve"), step("24 10:00", "reopen")),
        t("24 12:00"),
        right("24 11:00", 5, "24 11:00"),
        "3 h before; the fourth ends at 11:00 on Tuesday, and until 12:00 one more has elapsed.",
    ),
    Scenario(
        "spring",
        "A night of 23 hours a day (Berlin, clocks forward)",
        BERLIN,
        t("2026-03-28 22:00", "Europe/Berlin"),
        h(8),
        (),
        t("2026-03-29 06:00", "Europe/Berlin"),
        right("2026-03-29 07:00", 7, None, "Europe/Berlin"),
        "From 22:00 to 6:00 only 7 h pass; the eighth ends at 7:00.",
    ),
    Scenario(
        "autumn",
        "A pause over the change of clocks (Berlin, clocks back)",
        BERLIN,
        t("2026-10-24 22:00", "Europe/Berlin"),
        h(8),
        (
            step("2026-10-25 01:00", "hold", zone="Europe/Berlin"),
            step("2026-10-25 04:00", "resume", zone="Europe/Berlin"),
        ),
        t("2026-10-25 08:00", "Europe/Berlin"),
        right("2026-10-25 09:00", 7, None, "Europe/Berlin"),
        "3 h until 1:00, the pause lasts 4 h, 4 h until 8:00; the eighth ends at 9:00.",
    ),
    Scenario(
        "golden_week",
        "A week of holidays, and the Saturday that is worked for it",
        GOLDEN_WEEK,
        t("2026-09-30 17:00"),
        h(22),
        (),
        t("2026-10-10 13:00"),
        right("2026-10-10 12:00", 23, "2026-10-10 12:00"),
        "1 h before the week, 9 h on Thursday the 8th, 9 h on Friday; the 22nd ends at 12:00 on Saturday the 10th.",
        differs(zammad={DROPS, LATE, MISSES}),
    ),
    Scenario(
        "late_report",
        "A pause that becomes known three hours late, after the breach was announced",
        OFFICE,
        t("23 09:00"),
        h(4),
        (step("23 11:00", "hold", known="23 14:00"), step("23 15:00", "resume")),
        t("23 16:00"),
        right("23 17:00", 3),
        "2 h until 11:00 and 1 h from 15:00; the 2 h that were left at 11:00 end at 17:00. The breach is withdrawn.",
        differs(
            glpi={EXTRA, EARLY, FALSE},
            itop={EXTRA, EARLY, FALSE},
            zammad={EXTRA, EARLY, FALSE},
            bk={EXTRA, EARLY, FALSE},
            now={EXTRA, EARLY, FALSE},
            retro={EXTRA, EARLY, FALSE},
        ),
    ),
    Scenario(
        "calendar",
        "The calendar is replaced while the clock runs, then a pause",
        OFFICE,
        t("23 09:00"),
        h(16),
        (step("23 20:00", "calendar", hours=SHORTER), step("24 11:00", "hold"), step("24 12:00", "resume")),
        t("24 15:00"),
        right("24 17:00", 14),
        "The clock keeps its promised hours: 9 h on Monday; on Tuesday 2 h, a pause of 1 h, and 5 h to 17:00.",
        differs(
            glpi={DROPS, LATE},
            itop={DROPS, LATE},
            zammad={DROPS, LATE},
            bk={DROPS, LATE},
            now={DROPS, LATE},
            retro={DROPS, LATE},
        ),
    ),
    Scenario(
        "nearly",
        "Resolved 20 seconds before the due time of 24 h",
        ALWAYS,
        t("23 09:00"),
        h(24),
        (step("24 08:59:40", "resolve"),),
        t("24 12:00"),
        right("24 09:00", 24 - 20 / 3600),
        "99.98 % have elapsed: met.",
        differs(now={FALSE}, retro={FALSE}),
    ),
    Scenario(
        "response",
        "A hold before anybody responded",
        OFFICE,
        t("23 09:00"),
        h(2),
        (step("23 10:00", "hold"), step("23 12:00", "resume")),
        t("23 12:30"),
        right("23 13:00", 1.5),
        "1 h before the pause, half an hour after it; the second hour ends at 13:00.",
        differs(glpi={EXTRA, EARLY, FALSE}),
        metric="response",
    ),
)
