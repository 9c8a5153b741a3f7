"""Human numbers of incidents: INC0000001 and up, from a sequence; gaps are harmless, repeats impossible."""

from typing import Any


async def next_numbers(connection: Any, count: int) -> list[str]:
    """So many fresh numbers, in one statement."""
    if count == 0:
        return []
    rows = await connection.fetch("select nextval('incident_number') as no from generate_series(1, $1)", count)
    return [spelled(row["no"]) for row in rows]


def spelled(no: int) -> str:
    """The number as people know it."""
    return f"INC{no:07d}"
