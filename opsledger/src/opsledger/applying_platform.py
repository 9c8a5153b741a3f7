"""The running platform as `opsledger apply` speaks to it: over HTTP, with a token, as any other client."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

import httpx

from opsledger.applying_documents import Defined, Kind
from opsledger.applying_words import chinese, say
from opsledger_runtime import ids
from opsledger_runtime.embedded.problems import CannotStart

_BASE: Final = "/api/sla/v1"
_HERE: Final = ("127.0.0.1", "localhost", "::1")
_SECONDS: Final = 30.0
_OWN_TOKEN_HOURS: Final = 0.25
_PAGE: Final = 200


class NoAnswer(Exception):
    """Nobody answers, or somebody else does; whether a command was done is not known."""


class Refused(Exception):
    """The platform refused: its problem document (RFC 9457)."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code"))
        self.detail = str(problem.get("detail") or problem.get("title") or "")
        self.errors = [error for error in problem.get("errors") or [] if isinstance(error, dict)]
        super().__init__(self.detail)


@dataclass(frozen=True, slots=True)
class Present:
    """A definition as the platform has it; `version` is its ETag, and 0 where there is none yet."""

    definition: Mapping[str, Any] | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Where:
    """How to reach it. Without a token one is made by the issuer of the data folder, for this machine alone."""

    url: str
    token: str | None
    data_dir: Path
    language: str

    def opened(self) -> "Platform":
        """A client.

        Raises:
            CannotStart: the address is none, or there is no token.
        """
        try:
            url = httpx.URL(self.url)
        except httpx.InvalidURL:
            url = httpx.URL("")
        if url.scheme not in ("http", "https") or not url.host:
            raise CannotStart(say("bad_url", self.language, url=self.url))
        here = url.host in _HERE
        token = self._token(here)
        headers = {"Authorization": f"Bearer {token}", "Accept-Language": "zh-CN" if chinese(self.language) else "en"}
        client = httpx.Client(
            base_url=f"{str(url).rstrip('/')}{_BASE}",
            headers=headers,
            timeout=_SECONDS,
            trust_env=not here,  # a proxy has no part in what stays on this machine
        )
        return Platform(client, self.url, self.language)

    def _token(self, here: bool) -> str:
        if self.token is not None and self.token.strip():
            token = self.token.strip()
            if not (token.isascii() and token.isprintable()) or " " in token:
                raise CannotStart(say("bad_token", self.language))
            return token
        if not here:
            raise CannotStart(say("token_needed", self.language, url=self.url))
        from opsledger.up import token as issue

        return issue(self.data_dir, "lead", subject="command-line", hours=_OWN_TOKEN_HOURS)


class Platform:
    """The doors of calendars and agreements."""

    def __init__(self, client: httpx.Client, url: str, language: str) -> None:
        self._client = client
        self._url = url
        self._language = language

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def defined(self, kind: Kind) -> list[Defined]:
        """All definitions of a kind that the token sees.

        Raises:
            NoAnswer, Refused
        """
        found: list[Defined] = []
        cursor: str | None = None
        while True:
            page = {"limit": _PAGE} | ({"cursor": cursor} if cursor else {})
            body, _ = self._asked(self._client.build_request("GET", f"/{kind}s", params=page))
            found += [Defined(UUID(item["id"]), item["name"]) for item in body["items"]]
            cursor = body.get("next")
            if cursor is None:
                return found

    def present(self, path: str) -> Present:
        """A definition, or that there is none.

        Raises:
            NoAnswer, Refused
        """
        try:
            return Present(*self._asked(self._client.build_request("GET", path)))
        except Refused as error:
            if error.status == httpx.codes.NOT_FOUND and error.code == "not_found":
                return Present()
            raise

    def put(self, path: str, body: Any, version: int) -> Present:
        """Define it where it still has that version.

        Raises:
            NoAnswer, Refused
        """
        headers = {"If-Match": f'"{version}"', "Idempotency-Key": str(ids.new_id())}
        return Present(*self._asked(self._client.build_request("PUT", path, json=body, headers=headers)))

    def _asked(self, request: httpx.Request) -> tuple[Any, int]:
        try:
            answer = self._client.send(request)
        except httpx.HTTPError as error:
            why = str(error).rstrip(".") or type(error).__name__
            raise NoAnswer(say("no_answer", self._language, url=self._url, why=why)) from error
        try:
            body = answer.json()
            if answer.is_error and isinstance(body, dict) and "code" in body:
                raise Refused(answer.status_code, body)
            if not answer.is_success or not isinstance(body, dict):
                raise ValueError(body)
            return body, int(answer.headers.get("ETag", '"0"').strip('"'))
        except ValueError as error:
            said = say("no_platform", self._language, url=self._url, status=answer.status_code)
            raise NoAnswer(said) from error
