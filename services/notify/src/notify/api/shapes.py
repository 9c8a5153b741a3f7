"""What several endpoints share: path parameters, and the guard of a replacement."""

from typing import Annotated, Any, Final, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict

from notify.domain.checks import KEY_PATTERN
from opsledger_runtime.http import Ask, Problem
from opsledger_runtime.store import Loaded

BASE: Final = "/api/notify/v1"
KEY_LENGTH: Final = 64

Language = Literal["zh-CN", "en"]
Key = Annotated[str, Path(pattern=KEY_PATTERN, description="1 to 64 of A-Z a-z 0-9 . _ -")]


class Body(BaseModel):
    """A request; what is not asked for is refused, so that a misspelt field is not lost."""

    model_config = ConfigDict(extra="forbid")


def guard_replacement(ask: Ask, loaded: Loaded[Any]) -> None:
    """Who replaces something says which version they saw; who makes something new need not.

    Raises:
        Problem: 428, it exists and no version was named.
    """
    if loaded.version and ask.expected_version is None:
        raise Problem("if_match_required")
