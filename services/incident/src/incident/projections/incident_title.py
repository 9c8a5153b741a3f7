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
    than whether it contains them: three Latin letters or digits in a row, and every character by itself.
    """
    values: list[Any] = [words]
    wanted = [f"position(${after + 1}::text in title_folded) > 0"]
    latin = _LATIN.search(words) is not None
    if latin:
        values.append("%" + _SPECIAL.sub(r"\\\g<0>", words) + "%")
        wanted.append(f"title_folded like ${after + len(values)}::text")
    # A Latin letter by itself says little, since most titles have it; it has to do where nothing else is known.
    characters = {found for found in words if not found.isascii()} or ({} if latin else set(words))
    if characters:
        values.append(sorted(characters))
        wanted.append(f"string_to_array(title_folded, null) @> ${after + len(values)}::text[]")
    return (
        "select opened_at as titled_at, number as titled_number from incident_title where " + " and ".join(wanted),
        values,
    )
