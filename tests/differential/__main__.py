"""Writes docs/sla-comparison.md, or with `--check` says whether it is out of date."""

import sys
from pathlib import Path
from typing import Final

from tests.differential.page import page

PAGE: Final = Path(__file__).parents[2] / "docs" / "sla-comparison.md"


def main(arguments: list[str]) -> int:
    """The command line; 0 when all is well."""
    text = page()
    stands = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
    if arguments == ["--check"]:
        if not stands:
            sys.stderr.write(f"{PAGE.name} does not fit the scenarios. Run: make catalogue\n")
        return 0 if stands else 1
    if not stands:
        PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
