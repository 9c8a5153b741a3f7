"""Settings of one service process, read from the environment in one place.

A name is looked up as `OPSLEDGER_<CONTEXT>_<NAME>` first and `OPSLEDGER_<NAME>` second, so that a pod sets the short
one and a process with several services the long one. Refuses test-only switches in production.
"""

import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

zoneinfo.reset_tzpath(to=())  # one known time zone database, the wheel's, on every machine; its version is in events


class SettingsError(Exception):
    """A setting is missing or wrong; the message names the variable and what to set it to."""


class Settings(BaseModel):
    """One service's connection to the world."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    context: str
    environment: Literal["production", "development", "test"] = "production"
    installation: str = Field(default="local", pattern=r"^[a-z0-9-]{1,63}$")
    database_url: str
    owner_database_url: str | None = None
    nats_url: str
    nats_user: str | None = None
    nats_password: str | None = None
    jwks_file: Path
    token_issuer: str = "opsledger-local"
    token_audience: str = "opsledger"
    clock_file: Path | None = None
    planted_bug: str | None = None
    pool_size: int = Field(default=10, ge=3, le=200)
    max_backlog: int = Field(default=200_000, ge=1)
    data_dir: Path | None = None

    @model_validator(mode="after")
    def _production_is_real(self) -> Self:
        if self.environment != "production":
            return self
        if self.clock_file is not None:
            raise ValueError("OPSLEDGER_CLOCK_FILE moves the clock and is refused in production; unset it")
        if self.planted_bug is not None:
            raise ValueError("OPSLEDGER_PLANTED_BUG is for tests and is refused in production; unset it")
        if self.token_issuer == "opsledger-local":
            raise ValueError(
                "the local issuer is refused in production; "
                "set OPSLEDGER_TOKEN_ISSUER and OPSLEDGER_JWKS_FILE to your identity provider's"
            )
        return self

    @classmethod
    def read(cls, context: str, environ: Mapping[str, str]) -> "Settings":
        """Read a service's settings.

        Raises:
            SettingsError: names every variable that is missing or wrong.
        """
        found: dict[str, Any] = {"context": context}
        for name in cls.model_fields:
            for variable in (f"OPSLEDGER_{context.upper()}_{name.upper()}", f"OPSLEDGER_{name.upper()}"):
                if environ.get(variable):
                    found[name] = environ[variable]
                    break
        try:
            return cls(**found)
        except ValidationError as error:
            told = [
                f"OPSLEDGER_{str(problem['loc'][0]).upper()}: {problem['msg']}" if problem["loc"] else problem["msg"]
                for problem in error.errors()
            ]
            raise SettingsError(f"The {context} service cannot start.\n  " + "\n  ".join(told)) from error

    def environ(self) -> dict[str, str]:
        """The environment that `read` turns into these settings again; for starting a process."""
        return {
            f"OPSLEDGER_{self.context.upper()}_{name.upper()}": str(value)
            for name, value in self
            if name != "context" and value is not None
        }
