"""The closed set of errors a domain may raise. HTTP status codes are given to them in one place, `http.problems`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


class DomainError(Exception):
    """Base of the closed set; `code` is stable and machine-readable, the message is for people."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class NotFound(DomainError):
    """The thing named does not exist, or not for this caller."""

    def __init__(self, message: str, *, code: str = "not_found") -> None:
        super().__init__(message, code=code)


class RuleViolated(DomainError):
    """A rule of the domain forbids it; `rule` names the rule for good, for example `R16` or `closed_is_final`."""

    def __init__(self, message: str, *, rule: str) -> None:
        super().__init__(message, code=rule)
        self.rule = rule


class Forbidden(DomainError):
    """The caller may not do this."""

    def __init__(self, message: str, *, code: str = "forbidden") -> None:
        super().__init__(message, code=code)


class VersionConflict(DomainError):
    """Somebody else changed the aggregate since the version that the caller saw."""

    def __init__(self, message: str = "It has changed since you read it. Read it again and repeat.") -> None:
        super().__init__(message, code="version_conflict")


def pointer(path: Sequence[Any]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong value: a JSON pointer into the body, and what to do about it."""

    pointer: str
    detail: str


@dataclass
class Invalid(DomainError):
    """The input is wrong in itself, whatever the state."""

    message: str
    errors: list[FieldError] = field(default_factory=list)
    code: str = "invalid"

    def __post_init__(self) -> None:
        Exception.__init__(self, self.message)
