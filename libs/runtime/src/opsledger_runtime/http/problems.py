"""Errors of domain, doors and framework to RFC 9457 problem documents: the one place with status codes.

Refuses to show a stack trace, an input, or a 5xx for something that the caller did.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from opsledger_runtime import errors, problem_texts
from opsledger_runtime.http.exchange import Exchange
from opsledger_runtime.transient import is_transient

MEDIA_TYPE: Final = "application/problem+json"
_MAX_ERRORS: Final = 50

_STATUS: Final[dict[str, int]] = {
    "bad_request": 400,
    "malformed_json": 400,
    "duplicate_key": 400,
    "not_utf8": 400,
    "bad_path": 400,
    "bad_if_match": 400,
    "bad_idempotency_key": 400,
    "idempotency_key_required": 400,
    "bad_position": 400,
    "unauthenticated": 401,
    "bad_token": 401,
    "role_forbidden": 403,
    "no_such_path": 404,
    "method_not_allowed": 405,
    "body_too_slow": 408,
    "in_flight": 409,
    "conflict": 409,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "unsupported_file_type": 415,
    "unsupported_encoding": 415,
    "nul_character": 422,
    "lone_surrogate": 422,
    "number_out_of_range": 422,
    "too_deep": 422,
    "not_storable": 422,
    "invalid": 422,
    "idempotency_key_reused": 422,
    "if_match_required": 428,
    "too_many_requests": 429,
    "backlog_full": 429,
    "disk_full": 429,
    "headers_too_large": 431,
    "internal": 500,
    "unavailable": 503,
    "store_behind": 503,
}

_FRAMEWORK: Final[dict[int, str]] = {
    400: "bad_request",
    401: "unauthenticated",
    403: "role_forbidden",
    404: "no_such_path",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "too_many_requests",
    503: "unavailable",
}


class Problem(HTTPException):
    """An error of the doors themselves, by code of `problem_texts`; `values` fill its text.

    It is an HTTPException so that FastAPI lets it through while it reads a body.
    """

    def __init__(
        self,
        code: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[errors.FieldError] = (),
        status: int | None = None,
        **values: Any,
    ) -> None:
        super().__init__(status or _STATUS[code], code, dict(headers) if headers else None)
        self.code = code
        self.errors = list(errors)
        self.values = values


def response(error: BaseException, exchange: Exchange) -> Response:
    """The problem document of an error, in the caller's language."""
    language = exchange.language
    headers: dict[str, str] = {}
    found: list[dict[str, str]] = []
    if isinstance(error, Problem):
        status, code = error.status_code, error.code
        title, detail = problem_texts.text(code, language, error.values)
        headers.update(error.headers or {})
        found = [{"pointer": item.pointer, "detail": item.detail} for item in error.errors]
    elif isinstance(error, errors.DomainError):
        status, code, detail = _domain_status(error), error.code, _worded(error, exchange)
        title = problem_texts.text(_generic(error), language)[0]
        if isinstance(error, errors.Invalid):
            found = [{"pointer": item.pointer, "detail": item.detail} for item in error.errors]
    elif isinstance(error, RequestValidationError):
        found = [_field(item, language) for item in error.errors()[:_MAX_ERRORS]]
        # An id that cannot be one names nothing.
        nowhere = all(item["loc"][:1] == ("path",) for item in error.errors())
        status, code = (404, "not_found") if nowhere else (422, "invalid")
        title, detail = problem_texts.text(code, language)
    elif isinstance(error, HTTPException):
        status = error.status_code
        code = _FRAMEWORK.get(status, "bad_request" if status < 500 else "internal")
        title, detail = problem_texts.text(code, language)
        headers.update(error.headers or {})
    else:
        code = unforeseen_code(error)
        status = _STATUS[code]
        title, detail = problem_texts.text(code, language)
    if status == 503 and "Retry-After" not in headers:
        headers["Retry-After"] = "2"
    exchange.code = code
    document: dict[str, Any] = {
        "type": f"urn:opsledger:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": exchange.path,
        "code": code,
        "trace_id": exchange.trace.trace_id,
    }
    if found:
        document["errors"] = found
    # Replaced, not refused: an error text may quote what could not be encoded.
    content = json.dumps(document, ensure_ascii=False).encode(errors="replace")
    return Response(
        content,
        status,
        {**headers, "Content-Language": _languages(error, exchange), "Cache-Control": "no-store"},
        MEDIA_TYPE,
    )


def _worded(error: errors.DomainError, exchange: Exchange) -> str:
    """The service's own sentence for the code in the caller's language; the domain itself speaks English."""
    if exchange.running is None or exchange.language == problem_texts.DEFAULT:
        return error.message
    return exchange.running.service.messages.get(error.code, error.message)


def _languages(error: BaseException, exchange: Exchange) -> str:
    """The language of the answer, and English beside it where the service has no other words for its refusal."""
    if isinstance(error, errors.DomainError) and exchange.language != problem_texts.DEFAULT:
        translated = exchange.running is not None and error.code in exchange.running.service.messages
        return exchange.language if translated else f"{exchange.language}, {problem_texts.DEFAULT}"
    return exchange.language


def is_unavailable(error: BaseException) -> bool:
    """Whether a server is away, going, or busy with others, or does not know us: nothing that the input did."""
    state = getattr(error, "sqlstate", None) or ""
    return is_transient(error) or state[:2] in ("28", "3D")


def is_foreseen(error: BaseException) -> bool:
    """Whether it is an answer like any other, which needs no stack trace in the log."""
    return isinstance(error, errors.DomainError | HTTPException | RequestValidationError)


def unforeseen_code(error: BaseException) -> str:
    """The code of an error that nobody raised on purpose."""
    if isinstance(error, asyncpg.DataError | UnicodeError):
        return "not_storable"
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return "conflict"
    return "unavailable" if is_unavailable(error) else "internal"


def _domain_status(error: errors.DomainError) -> int:
    match error:
        case errors.NotFound():
            return 404
        case errors.Forbidden():
            return 403
        case errors.Invalid():
            return 413 if error.code == "too_large" else 422
        case _:
            return 409


def _generic(error: errors.DomainError) -> str:
    match error:
        case errors.NotFound():
            return "not_found"
        case errors.Forbidden():
            return "forbidden"
        case errors.Invalid():
            return "invalid"
        case errors.VersionConflict():
            return "version_conflict"
        case _:
            return "rule_violated"


def _field(item: Mapping[str, Any], language: str) -> dict[str, str]:
    where, *inside = item["loc"]
    detail = problem_texts.field_text(item["type"], language, item.get("ctx") or {}, item["msg"])
    if where == "body":
        return {"pointer": errors.pointer(inside), "detail": detail}
    return {"parameter": str(inside[0]) if inside else "", "in": str(where), "detail": detail}
