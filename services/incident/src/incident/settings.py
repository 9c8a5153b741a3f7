"""What this context reads from the environment, beside the runtime's settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from opsledger_events.contexts.incident import Responsibility
from opsledger_runtime.settings import SettingsError

AlertResolves = Literal["annotate", "resolve"]

_RESOLVES: Final = "OPSLEDGER_INCIDENT_ALERT_RESOLVES"
_RESPONSIBILITY: Final = "OPSLEDGER_INCIDENT_ALERT_RESPONSIBILITY"


@dataclass(frozen=True, slots=True)
class IncidentSettings:
    """What a resolved alert does to its incident.

    `annotate` (the default) records it and leaves the judgement to a person. `resolve` resolves the incident; R16's
    responsibility code is then `provider` unless configured, since what one's own monitoring watches is one's own.
    """

    alert_resolves: AlertResolves = "annotate"
    alert_responsibility: Responsibility = "provider"

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "IncidentSettings":
        """Read them.

        Raises:
            SettingsError: a variable holds something else than its choices.
        """
        resolves = environ.get(_RESOLVES) or "annotate"
        if resolves not in ("annotate", "resolve"):
            raise SettingsError(f"{_RESOLVES} is {resolves!r}; set it to annotate or resolve")
        responsibility = environ.get(_RESPONSIBILITY) or "provider"
        for known in get_args(Responsibility):
            if responsibility == known:
                return cls("resolve" if resolves == "resolve" else "annotate", known)
        raise SettingsError(f"{_RESPONSIBILITY} is {responsibility!r}; set it to {', '.join(get_args(Responsibility))}")
