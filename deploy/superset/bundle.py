"""Pack `assets` into the zip that Superset takes at /api/v1/assets/import/: python bundle.py OUT.zip --uri URI

`--uri` says where the reporting database is, for example postgresql+psycopg2://bi_reader@db.example:5432/name; the
password does not go into the zip but beside it, as `passwords` of the import.
"""

import argparse
import io
import re
import sys
import zipfile
from pathlib import Path
from typing import Final

ASSETS: Final = Path(__file__).parent / "assets"
MASK: Final = "X" * 10
DATABASE: Final = "databases/opsledger.yaml"


def bundle(uri: str | None = None) -> bytes:
    """The zip; `uri` None leaves the one that stands in `assets`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(ASSETS.rglob("*.yaml")):
            name, text = path.relative_to(ASSETS).as_posix(), path.read_text(encoding="utf-8")
            if uri is not None and name == DATABASE:
                text = re.sub(r"(?m)^sqlalchemy_uri: .*$", f"sqlalchemy_uri: '{_masked(uri)}'", text)
            packed.writestr(f"opsledger/{name}", text)
    return out.getvalue()


def _masked(uri: str) -> str:
    """Superset takes the password that comes beside the zip only where the URI has its mask."""
    return re.sub(r"//([^:/@]+)@", rf"//\1:{MASK}@", uri)


def main() -> None:
    """Write the zip."""
    parser = argparse.ArgumentParser(description="Pack Superset's assets.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--uri")
    given = parser.parse_args()
    given.out.write_bytes(bundle(given.uri))
    sys.stderr.write(f"Wrote {given.out}. Import it with the password of bi_reader for {DATABASE}.\n")


if __name__ == "__main__":
    main()
