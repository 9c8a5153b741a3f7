"""What a command answers, and its bytes."""

from dataclasses import dataclass
from typing import Any

import asyncpg
import pydantic_core


@dataclass(frozen=True, slots=True)
class Answer:
    """Body (anything pydantic can turn into JSON; None: empty), status, ETag from `version`, and Location."""

    body: Any = None
    status: int = 200
    version: int | None = None
    location: str | None = None


def json_bytes(answer: Answer) -> bytes:
    """The body as JSON bytes; nothing for None."""
    return b"" if answer.body is None else pydantic_core.to_json(answer.body, fallback=_plain)


def render(answer: Answer) -> dict[str, str]:
    """The headers of an answer."""
    headers = {"Cache-Control": "no-store"}
    if answer.body is not None:
        headers["Content-Type"] = "application/json"
    if answer.version is not None:
        headers["ETag"] = f'"{answer.version}"'
    if answer.location is not None:
        headers["Location"] = answer.location
    return headers


def _plain(value: Any) -> Any:
    if isinstance(value, asyncpg.Record):
        return dict(value)
    raise TypeError(f"not JSON: {type(value).__name__}")
