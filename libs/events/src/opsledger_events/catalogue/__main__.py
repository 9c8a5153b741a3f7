"""Writes the catalogue, or with `--check` says which files no longer fit the classes."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from opsledger_events import event_classes
from opsledger_events.catalogue.asyncapi import asyncapi
from opsledger_events.catalogue.compatibility import breaking_changes
from opsledger_events.catalogue.page import page
from opsledger_events.catalogue.schemas import data_schema, envelope_schema, example

SCHEMAS: Final = Path(__file__).parents[1] / "schemas"
DOCS: Final = Path(__file__).parents[5] / "docs" / "events"


def catalogue(schemas: Path, docs: Path) -> dict[Path, str]:
    """Every generated file and its text."""
    classes = event_classes()
    found = {schemas / "envelope.schema.json": _json(envelope_schema())}
    for cls in classes.values():
        stem = schemas / cls.event_context() / f"{cls.event_name()}.v{cls.event_major()}"
        found[stem.with_name(f"{stem.name}.schema.json")] = _json(data_schema(cls))
        found[stem.with_name(f"{stem.name}.example.json")] = _json(example(cls).attributes())
    found[docs / "asyncapi.json"] = _json(asyncapi(classes))
    found[docs / "README.md"] = page(classes)
    return found


def drifted(files: dict[Path, str]) -> list[Path]:
    """The files that are missing or differ. A file of a retired event has no class and is kept for ever."""
    return [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]


def broken(files: dict[Path, str]) -> list[str]:
    """What writing the files would break for those who hold the schemas that stand there."""
    return [
        f"{path.name.removesuffix('.schema.json')}: {change}"
        for path, text in files.items()
        if path.name.endswith(".schema.json") and path.is_file() and path.parent.name != "schemas"
        for change in breaking_changes(json.loads(path.read_text(encoding="utf-8")), json.loads(text))
    ]


def main(arguments: list[str] | None = None) -> int:
    """The command line; 0 when all is well."""
    parser = argparse.ArgumentParser(prog="python -m opsledger_events.catalogue", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file does not fit")
    parser.add_argument("--replace", action="store_true", help="also where it breaks contracts that nobody holds yet")
    parser.add_argument("--schemas", type=Path, default=SCHEMAS, help="folder of schemas and examples")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of the readable catalogue")
    given = parser.parse_args(arguments)
    files = catalogue(given.schemas, given.docs)
    changed = drifted(files)
    if given.check:
        if changed:
            names = ", ".join(sorted(path.name for path in changed))
            sys.stderr.write(
                f"The catalogue does not fit the event classes: {names}. Run: python -m opsledger_events.catalogue\n"
            )
        return 1 if changed else 0
    breaks = broken(files)
    if breaks and not given.replace:
        sys.stderr.write(
            "Subscribers hold these contracts; within a major only optional fields are added. Make a new major, or if "
            f"nobody can have received the event use --replace: {'; '.join(breaks)}.\n"
        )
        return 1
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], encoding="utf-8")
    sys.stdout.write(f"{len(changed)} of {len(files)} files written.\n")
    return 0


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
