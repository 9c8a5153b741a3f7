"""Settings of notify alone; the only reader of its environment variables.

`OPSLEDGER_NOTIFY_SMTP_URL`: `smtp://user:password@host:port?starttls=auto|always|never`, or `smtps://…` for TLS from
the first byte. Unset, `opsledger up` writes mails to the folder `mail` beside its data; a service alone does not start.
"""

import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.headerregistry import Address
from typing import Any, Final, Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from notify.domain.checks import check_email
from opsledger_runtime.errors import DomainError
from opsledger_runtime.settings import SettingsError

RETRY_SECONDS: Final = (0.0, 5.0, 30.0, 120.0, 600.0, 3600.0, 3 * 3600.0, 6 * 3600.0, 12 * 3600.0)
"""The wait before each attempt; the first is always made at once.

About a day in all, so that a mail server may be away for a night.
"""

_PREFIX: Final = "OPSLEDGER_NOTIFY_"


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed over."""

    host: str
    port: int
    tls: bool
    starttls: Literal["auto", "always", "never"]
    user: str | None = None
    password: str | None = field(default=None, repr=False)


class NotifySettings(BaseModel):
    """How notices are worded and sent. Durations in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    smtp_url: SecretStr | None = None
    sender: str = "Opsledger <opsledger@opsledger.invalid>"
    time_zone: str = "Asia/Shanghai"
    retry_seconds: tuple[float, ...] = RETRY_SECONDS
    smtp_timeout: float = Field(default=30.0, gt=0, le=600)
    claim_seconds: float = Field(default=120.0, gt=0, le=3600)
    poll_seconds: float = Field(default=0.5, gt=0, le=60)
    parallel: int = Field(default=8, ge=1, le=64)

    @field_validator("retry_seconds", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return tuple(value.split(",")) if isinstance(value, str) else value

    @field_validator("retry_seconds")
    @classmethod
    def _waits(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or not all(0 <= seconds <= 7 * 86400 for seconds in value):
            raise ValueError("list the seconds to wait before each attempt, for example 0,5,30,120")
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in zoneinfo.available_timezones():
            raise ValueError(f"{value!r} is no time zone; use a name such as Asia/Shanghai")
        return value

    @field_validator("sender")
    @classmethod
    def _one_mailbox(cls, value: str) -> str:
        _mailbox(value)
        return value

    @field_validator("smtp_url")
    @classmethod
    def _readable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _server(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _claims_outlast_sending(self) -> Self:
        if self.claim_seconds < 2 * self.smtp_timeout:
            raise ValueError("CLAIM_SECONDS must be at least twice SMTP_TIMEOUT, or two workers send the same mail")
        return self

    @property
    def server(self) -> SmtpServer | None:
        """The mail server, None where there is none."""
        return None if self.smtp_url is None else _server(self.smtp_url.get_secret_value())

    @property
    def from_address(self) -> Address:
        """Who mails come from."""
        return _mailbox(self.sender)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "NotifySettings":
        """From `OPSLEDGER_NOTIFY_<NAME>`.

        Raises:
            SettingsError: a value cannot be used; names the variable, never shows the mail server's password.
        """
        variables = {name: f"{_PREFIX}{name.upper()}" for name in cls.model_fields}
        found = {name: environ[variable] for name, variable in variables.items() if environ.get(variable)}
        try:
            return cls(**found)
        except ValidationError as error:
            told = [f"{_PREFIX}{str((e['loc'] or ('',))[0]).upper()}: {e['msg']}" for e in error.errors()]
            raise SettingsError("The notify service cannot start.\n  " + "\n  ".join(told)) from None


def _mailbox(text: str) -> Address:
    name, bracket, rest = text.rpartition("<")
    email = rest.removesuffix(">").strip()
    try:
        check_email(email, "")
        return Address(display_name=name.strip() if bracket else "", addr_spec=email)
    except (DomainError, ValueError) as error:
        raise ValueError("write it as Service Desk <desk@example.com>") from error


def _server(url: str) -> SmtpServer:
    try:
        parts = urlsplit(url)
        tls = {"smtp": False, "smtps": True}[parts.scheme]
        port = parts.port or (465 if tls else 587 if parts.username else 25)
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        # A password is not sent in the clear unless somebody wrote so.
        usual = "always" if user is not None else "auto"
        starttls = parse_qs(parts.query).get("starttls", ["never" if tls else usual])[0]
        if not parts.hostname or starttls not in ("auto", "always", "never"):
            raise ValueError
        return SmtpServer(parts.hostname, port, tls, starttls, user, password)  # type: ignore[arg-type]
    except (KeyError, ValueError):
        raise ValueError("write it as smtp://user:password@host:port?starttls=auto|always|never") from None
