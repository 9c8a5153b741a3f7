"""`opsledger export`: what the platform has, as YAML that `opsledger apply` takes back and finds unchanged.

Owns what a document says of a definition: what was asked for, not what the platform made of it.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer
import yaml

from opsledger.applying import DONE, REFUSED, DataDir, Language, Port, Token, Url, complain, told
from opsledger.applying_difference import as_asked
from opsledger.applying_documents import API_VERSION, KINDS, Kind, id_of, seconds_of, shown_seconds
from opsledger.applying_platform import NoAnswer, Platform, Refused, Where
from opsledger.applying_yaml import scalar
from opsledger_runtime.embedded.problems import CannotStart

_OTHER: Final = re.compile(r"[^a-z0-9]+")
_LONGEST: Final = 40


class Which(StrEnum):
    """What can be exported."""

    CALENDARS = "calendars"
    AGREEMENTS = "agreements"


class _Dumper(yaml.SafeDumper):  # type: ignore[misc] # it has no types
    """Writes no aliases, and in quotes what would be read as anything but text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent(dumper: _Dumper, text: str) -> Any:
    try:
        plain = scalar(text) == text
    except ValueError:
        plain = False
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _represent)


def export(
    which: Annotated[list[Which] | None, typer.Argument(help="calendars, agreements; both, if left out.")] = None,
    url: Url = None,
    token: Token = None,
    language: Language = "en",
    port: Port = 8080,
    data_dir: DataDir = Path("data"),
) -> None:
    """Print calendars and agreements as YAML that `opsledger apply` takes back."""
    where = Where(url or f"http://127.0.0.1:{port}", token, data_dir, language)
    raise typer.Exit(run(which or list(Which), where))


def run(which: Sequence[Which], where: Where) -> int:
    """Print them; the exit code."""
    try:
        with where.opened() as platform:
            text = _exported(which, platform)
    except (NoAnswer, CannotStart) as error:
        complain(str(error))
        return REFUSED
    except Refused as error:
        complain(told(error, where.language))
        return REFUSED
    sys.stdout.write(text)
    return DONE


def _exported(which: Sequence[Which], platform: Platform) -> str:
    documents: list[dict[str, Any]] = []
    calendars: dict[str, str] = {}
    for kind, own in KINDS.items():
        if f"{own}s" not in set(which):
            continue
        taken: set[str] = set()
        for one in platform.defined(own):
            shown = platform.present(f"/{own}s/{one.id}").definition
            if shown is None:
                continue  # nothing is ever deleted; another token would see it
            metadata = _metadata(own, one.id, one.name, taken)
            if own == "calendar":
                calendars[str(one.id)] = metadata["name"]
            spec = as_asked(own, shown)
            documents.append({"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec})
    for document in documents:
        if document["kind"] == "Agreement":
            document["spec"] = _readable(document["spec"], calendars)
    return "---\n".join(_dumped(document) for document in documents)


def _dumped(document: Any) -> str:
    return str(
        yaml.dump(document, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=110, default_flow_style=None)
    )


def _metadata(kind: Kind, own: UUID, name: str, taken: set[str]) -> dict[str, str]:
    """Its key: the one that it was applied with where that can be told, else one made of its name, with the id."""
    words = _OTHER.sub("-", name.lower()).strip("-")[:_LONGEST].strip("-")
    for key in ("default", words):
        if key and key not in taken and id_of(kind, key) == own:
            taken.add(key)
            return {"name": key}
    key = words or kind
    if key in taken:
        key = f"{key}-{str(own)[:8]}" if f"{key}-{str(own)[:8]}" not in taken else str(own)
    taken.add(key)
    return {"name": key, "id": str(own)}


def _readable(spec: Mapping[str, Any], calendars: Mapping[str, str]) -> dict[str, Any]:
    """With names of calendars that are exported too, and durations as people write them."""
    found = dict(spec)
    found["calendar"] = calendars.get(found["calendar"], found["calendar"])
    found["targets"] = [dict(_target(*field) for field in target.items()) for target in found["targets"]]
    return found


def _target(key: str, value: Any) -> tuple[str, Any]:
    if key.endswith("_by") and isinstance(value, dict):
        return key.removesuffix("_by"), value
    if key.endswith("_seconds") and type(value) is int and value > 0 and seconds_of(shown_seconds(value)) == value:
        return key.removesuffix("_seconds"), shown_seconds(value)
    return key, value
