"""Priority from impact and urgency: the 3 × 3 matrix that ITIL service desks use.

1 is the highest of each. Refuses anything outside 1..3.
"""

from typing import Final

from opsledger_runtime.errors import FieldError, Invalid

LEVELS: Final = range(1, 4)

_PRIORITIES: Final = (
    # urgency:  1  2  3
    (1, 2, 3),  # impact 1: many people or a core service
    (2, 3, 4),  # impact 2: a group
    (3, 4, 5),  # impact 3: one person
)


def priority_of(impact: int, urgency: int) -> int:
    """Priority 1 (highest) to 5 (lowest).

    Raises:
        Invalid: impact or urgency is not 1, 2 or 3.
    """
    wrong = [
        FieldError(f"/{name}", "Give 1 (highest), 2 or 3.")
        for name, value in (("impact", impact), ("urgency", urgency))
        if value not in LEVELS
    ]
    if wrong:
        raise Invalid("Impact and urgency are 1, 2 or 3.", wrong)
    return _PRIORITIES[impact - 1][urgency - 1]
