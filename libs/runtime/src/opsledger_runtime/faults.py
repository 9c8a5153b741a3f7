"""An error in words that may be kept and logged. Pure.

Owns what is told of an error: its kind and its place. Refuses to repeat the value that caused it, which may name a
person, wherever a library is known to quote it.
"""

import traceback
from pathlib import Path
from typing import Final

import asyncpg
from pydantic import ValidationError

MAX_LENGTH: Final = 2000
"""Characters kept of an error's text."""

_OWN_WORDS: Final = frozenset({"value_error", "assertion_error"})
"""What a validator of ours said, which may quote the value."""

_FRAMES: Final = 8


def describe(error: BaseException) -> str:
    """Kind and cause in one line, without the value that a database, its driver or a contract would quote."""
    kind = type(error).__name__
    if isinstance(error, ValidationError):
        found = error.errors(include_url=False, include_context=False, include_input=False)
        told = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['type'] if one['type'] in _OWN_WORDS else one['msg']}"
            for one in found
        )
    elif isinstance(error, asyncpg.PostgresError):
        names = (getattr(error, name, None) for name in ("sqlstate", "constraint_name", "table_name", "column_name"))
        told = " ".join(name for name in names if name)
    else:
        told = str(error)
    return f"{kind}: {told}".replace("\x00", "")[:MAX_LENGTH]


def whereabouts(error: BaseException) -> list[str]:
    """The innermost lines of code that the error passed through, as `file:line function`; what a trace would show."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
