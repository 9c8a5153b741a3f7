"""What this context reads from the environment, beside the runtime's settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cmdb.domain.naming import is_identifier_kind
from opsledger_runtime.settings import SettingsError

_MATCHING: Final = "OPSLEDGER_CMDB_MATCHING"
_NARROWING: Final = frozenset({"class", "environment", "name"})
DEFAULT: Final = "source_id,serial,asset,mac,fqdn+class,key+class"

Rule = tuple[str, ...]
"""Parts that must all agree: kinds of identifiers, `source_id`, `key`; `class`, `environment` and `name` narrow."""


@dataclass(frozen=True, slots=True)
class CmdbSettings:
    """By which rules a discovered thing is taken for a known item; the first rule that finds any decides."""

    matching: tuple[Rule, ...] = tuple(tuple(rule.split("+")) for rule in DEFAULT.split(","))

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "CmdbSettings":
        """Read them.

        Raises:
            SettingsError: a rule has no part by which an item could be found, or one that is none.
        """
        rules = []
        for text in (environ.get(_MATCHING) or DEFAULT).split(","):
            rule = tuple(part.strip() for part in text.split("+"))
            if not all(is_identifier_kind(part) for part in rule) or not set(rule) - _NARROWING:
                raise SettingsError(
                    f"{_MATCHING} has the rule {text.strip()!r}; join by + what must agree: source_id, key, or a kind"
                    " of identifier such as serial, and besides these class, environment or name"
                )
            rules.append(rule)
        return cls(tuple(rules))
