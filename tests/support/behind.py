"""All rows behind a figure, page by page, as a caller who follows the links gets them."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.reporting_doors import BASE, Reporting


async def rows_behind(reporting: Reporting, link: str, limit: int = 37) -> list[dict[str, Any]]:
    """The rows at a figure's link; asserts that none of them comes twice."""
    assert link.startswith(BASE)
    split = urlsplit(link.removeprefix(BASE))
    params: dict[str, Any] = {key: values[0] for key, values in parse_qs(split.query, keep_blank_values=True).items()}
    found: list[dict[str, Any]] = []
    while True:
        answer = await reporting.get(split.path, params={**params, "limit": limit})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["items"]
        if page["next"] is None:
            break
        params["cursor"] = page["next"]
    assert len({row["key"] for row in found}) == len(found)
    return found
