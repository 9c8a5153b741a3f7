"""Which simple agreement comes closest to what a log says of its own: the table in docs/sla-preview.md."""

from pathlib import Path

import pytest
from tests.support.histories import INVENTED, LOGS, NOW, REAL
from tests.support.made_sla import CALENDARS, PAUSES, agreeing, apart, closest, lives

Agreeing = dict[tuple[str, str], tuple[int, int]]
"""By calendar and pauses: incidents that agree with targets found in all of them, and in the other half of them."""

KNOWN: dict[Path, Agreeing] = {
    INVENTED: {
        ("24×7", "none"): (10, 9),
        ("24×7", "requester"): (10, 9),
        ("24×7", "every wait"): (10, 8),
        ("Mon–Fri 8–20", "none"): (9, 9),
        ("Mon–Fri 8–20", "requester"): (9, 9),
        ("Mon–Fri 8–20", "every wait"): (10, 9),
        ("Mon–Fri 9–18", "none"): (9, 9),
        ("Mon–Fri 9–18", "requester"): (9, 9),
        ("Mon–Fri 9–18", "every wait"): (10, 9),
    },
    REAL: {
        ("24×7", "none"): (593, 586),
        ("24×7", "requester"): (516, 498),
        ("24×7", "every wait"): (511, 495),
        ("Mon–Fri 8–20", "none"): (584, 583),
        ("Mon–Fri 8–20", "requester"): (509, 502),
        ("Mon–Fri 8–20", "every wait"): (505, 496),
        ("Mon–Fri 9–18", "none"): (582, 579),
        ("Mon–Fri 9–18", "requester"): (506, 503),
        ("Mon–Fri 9–18", "every wait"): (501, 498),
    },
}


@pytest.mark.parametrize("log", LOGS, ids=str)
def test_the_closest_agreement_of_each_kind(log: Path) -> None:
    known = lives(log.read_bytes())
    found = {}
    for hours, calendar in CALENDARS.items():
        for pauses, pausing in PAUSES.items():
            fitted = closest(known.values(), calendar, pausing, NOW)
            agree = agreeing(known.values(), fitted, calendar, NOW)
            found[hours, pauses] = agree, apart(known, calendar, pausing, NOW)
    assert found == KNOWN[log]
