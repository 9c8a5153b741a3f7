"""The committed contracts: what stands in the folder, and everything that ever stood there."""

import json
import subprocess
from pathlib import Path
from typing import Any

import opsledger_events

SCHEMAS = Path(opsledger_events.__file__).parent / "schemas"


def read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def example_files() -> list[Path]:
    return sorted(SCHEMAS.glob("*/*.example.json"))


def schema_files() -> list[Path]:
    return sorted(SCHEMAS.glob("*/*.schema.json"))


def committed_versions() -> dict[str, list[dict[str, Any]]]:
    """Each contract file by its path below the folder, in every version that a commit holds.

    Empty where there is no git or no commit, as in an unpacked release.
    """
    listed: dict[str, set[str]] = {}
    for commit in _git("rev-list", "HEAD", "--", ".").split():
        for line in _git("ls-tree", "-r", commit, "--", ".").splitlines():
            details, _, path = line.partition("\t")
            listed.setdefault(path, set()).add(details.split()[2])
    return {
        path: [json.loads(_git("cat-file", "blob", blob)) for blob in sorted(blobs)]
        for path, blobs in sorted(listed.items())
        if path.endswith(".json")
    }


def _git(*arguments: str) -> str:
    try:
        answer = subprocess.run(["git", *arguments], cwd=SCHEMAS, capture_output=True, check=False)
    except FileNotFoundError:
        return ""
    return answer.stdout.decode() if answer.returncode == 0 else ""
