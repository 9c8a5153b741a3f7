"""Patterns that people state for texts. Matched in time linear in the text, whatever the pattern says.

The engine has no back-references and no look-around, which is what makes others take for ever; it bounds the size of
what it compiles, and the length of a pattern is bounded here.
"""

from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import StringConstraints, TypeAdapter, ValidationError
from pydantic_core import SchemaError

LONGEST: Final = 200
"""Characters of a pattern."""


class BadPattern(ValueError):
    """It cannot be used; the message says why."""


def check(pattern: str) -> None:
    """Make sure that a pattern can be used.

    Raises:
        BadPattern: too long, wrongly written, or with look-around or back-references.
    """
    if len(pattern) > LONGEST:
        raise BadPattern(f"it has more than {LONGEST} characters")
    _compiled(pattern)  # by itself first, so that what is wrong in it is not mended by what is put around it
    _compiled(_whole(pattern))


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text is as the pattern says."""
    try:
        _compiled(_whole(pattern)).validate_python(text)
    except ValidationError:
        return False
    return True


def _whole(pattern: str) -> str:
    return rf"^(?:{pattern})$"


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])
    except SchemaError as error:
        raise BadPattern("it is wrongly written, or uses look-around or back-references") from error
