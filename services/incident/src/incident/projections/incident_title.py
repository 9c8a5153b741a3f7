"""Read model `incident_title` (inline): titles by the parts of words that they contain, for finding the rare ones.

Owns no code that writes: the database keeps it, by a trigger on `incident_queue`. A search for a word that many titles
contain needs it not, and would be slow with it.
"""

import re
from typing import Any, Final

_LATIN: Final = re.compile("[a-z0-9]{3}")
_SPECIAL: Final = re.compile(r"[\\%_]")


def containing(words: str, after: int) -> tuple[str, list[Any]]:
    """A query for `titled_at` and `titled_number` of titles that contain `words`, and its parameters.

    `words` are folded as titles are; parameters are numbered from `after` + 1. What the index knows of a title is less
    than whether it contains them: three Latin letters or digits in a row, every other character, and such a one with
    what follows it. Words with nothing of these are looked for in every title.
    """
    values: list[Any] = [words]
    wanted = [f"position(${after + 1}::text in title_folded) > 0"]
    if _LATIN.search(words) is not None:
        values.append("%" + _SPECIAL.sub(r"\\\g<0>", words) + "%")
        wanted.append(f"title_folded like ${after + len(values)}::text")
    if parts := _parts(words):
        values.append(parts)
        wanted.append(f"title_parts(title_folded) @> ${after + len(values)}::text[]")
    return (
        "select opened_at as titled_at, number as titled_number from incident_title where " + " and ".join(wanted),
        values,
    )


def _parts(words: str) -> list[str]:
    """The longest parts that a title with these words is known by: one character only where none follows it."""
    pairs = {words[at : at + 2] for at, found in enumerate(words) if not found.isascii()}
    return sorted(pair for pair in pairs if len(pair) == 2 or not any(pair in other for other in pairs - {pair}))
