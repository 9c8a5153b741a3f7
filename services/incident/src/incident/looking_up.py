"""Which configuration item is meant by a name, and who owns it: one statement for all names of a command or a batch.

Letters' case does not count. A key wins over an alias and that over an address; a name of several items is no name,
since a guess would wake the wrong team. An item of one organisation does not answer for an incident of another.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from incident.domain.commands import Owner

_FAILING: Final = 0x0B5_FA11
_LOOK_UP: Final = """
select wanted.name, named.rank, named.item, found.* {lock}
from unnest($1::text[]) as wanted (name)
  cross join lateral
  (select item, rank from ci_name where name = wanted.name order by rank, item limit 8 offset 0) as named
  cross join lateral
  (select key, owner_team, organisation, criticality from ci where item = named.item offset 0) as found
"""
_ALONE: Final = _LOOK_UP.format(lock="")
_ONE_BY_ONE: Final = _LOOK_UP.format(lock=", pg_advisory_xact_lock($2)")


@dataclass(frozen=True, slots=True)
class Known:
    """An item that is in use. `organisation` None: it is everybody's."""

    item: str
    key: str
    owner_team: str | None
    organisation: str | None
    criticality: str | None

    @property
    def owner(self) -> Owner | None:
        """Who answers for it, where somebody does."""
        return None if self.owner_team is None else Owner(self.owner_team, self.key)


class Found:
    """What names turned out to mean."""

    def __init__(self, records: Iterable[Mapping[str, Any]] = ()) -> None:
        self._by_name: dict[str, list[tuple[int, Known]]] = {}
        self.add(records)

    def add(self, records: Iterable[Mapping[str, Any]]) -> None:
        """More names."""
        for row in records:
            known = Known(row["item"], row["key"], row["owner_team"], row["organisation"], row["criticality"])
            self._by_name.setdefault(row["name"], []).append((row["rank"], known))

    def item(self, names: Sequence[str], organisation: str | None) -> Known | None:
        """The item that the first of these names means which means one, for an incident of `organisation`."""
        for name in names:
            meant = [
                (rank, known)
                for rank, known in self._by_name.get(name.lower(), ())
                if known.organisation is None or organisation is None or known.organisation == organisation
            ]
            if (best := _best(meant)) is not None:
                return best
        return None


def _best(meant: Sequence[tuple[int, Known]]) -> Known | None:
    least = min((rank for rank, _ in meant), default=0)
    best = [known for rank, known in meant if rank == least]
    return best[0] if len(best) == 1 else None


async def look_up(connection: Any, names: Iterable[str]) -> Found:
    """What these names mean."""
    wanted = sorted({name.lower() for name in names})
    return Found(await connection.fetch(_ALONE, wanted) if wanted else ())


async def look_up_failing(connection: Any, names: Iterable[str], found: Found) -> None:
    """Add to `found` what names mean of which alerts open incidents.

    Where one is known, no other transaction groups until this one ends, so that a cause and what it breaks see each
    other, whichever comes first.
    """
    wanted = sorted({name.lower() for name in names})
    if wanted:
        found.add(await connection.fetch(_ONE_BY_ONE, wanted, _FAILING))
