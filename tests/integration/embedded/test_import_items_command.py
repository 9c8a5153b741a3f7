"""`opsledger import items` as a person runs it: into what runs in a data folder, or one sentence that says why not."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from cmdb.app import SERVICE
from cmdb.intake.csv_file import TEMPLATE
from cmdb.seed import seed_store
from opsledger.filling import target_of
from opsledger.writers import opened
from opsledger_runtime.embedded.platform import EmbeddedPlatform
from opsledger_runtime.migrations import MigrationSet, migrate
from opsledger_runtime.running import application_role

OPSLEDGER = Path(sys.executable).with_name("opsledger")


async def import_items(*arguments: str, **environ: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OPSLEDGER_") and key != "LANG"}
    process = await asyncio.create_subprocess_exec(
        *(str(OPSLEDGER), "import", "items", *arguments),
        env={**kept, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, said.decode(), complained.decode()


@pytest.fixture(scope="module")
async def platform() -> AsyncIterator[EmbeddedPlatform]:
    """Servers of a data folder that this process has locked, as `opsledger up` does, and a seeded register."""
    parent = Path(tempfile.mkdtemp(prefix="opsledger-import-"))
    os.chmod(parent, 0o711)  # noqa: S103 - a system user passes through to its own folder
    started = EmbeddedPlatform(parent / "data", ("cmdb",), {}, die_with_parent=True)
    await started.start()
    try:
        access = started.access("cmdb")
        sets = [MigrationSet("opsledger_runtime", ("es",)), MigrationSet("cmdb", ("cmdb",))]
        await migrate(access.owner_database_url, sets, application_role(access.database_url))
        async with opened(target_of(started.folder.path, {}, "cmdb"), SERVICE) as store:
            await seed_store(store)
        yield started
    finally:
        await started.stop()
        shutil.rmtree(parent, ignore_errors=True)


async def test_a_file_is_tried_taken_in_and_not_taken_twice(platform: EmbeddedPlatform, tmp_path: Path) -> None:
    file = tmp_path / "items.csv"
    file.write_bytes((TEMPLATE + "bad key,x,server\r\n").encode())
    folder = {"OPSLEDGER_DATA_DIR": str(platform.folder.path)}
    code, said, complained = await import_items(str(file), "--dry-run", **folder)
    assert (code, complained) == (1, "")
    assert "line 6 (bad key): rejected: " in said
    assert "Nothing was changed; it would be: 5 lines: 4 registered" in said
    code, said, _ = await import_items(str(file), **folder)
    assert "5 of 5 lines" in said
    assert "4 registered, 0 changed, 0 unchanged, 0 ambiguous, 1 rejected; 4 relations." in said
    file.write_bytes(TEMPLATE.encode("gb18030"))
    code, said, _ = await import_items(str(file), "--encoding", "gb18030", **folder)
    assert (code, "4 unchanged" in said) == (0, True)
    connection = await asyncpg.connect(platform.access("cmdb").database_url)
    try:
        found = await connection.fetchval("select count(*) from es.event where type like '%ImportCompleted.v1'")
        names = await connection.fetch("select name from cmdb.item where key = 'shop'")
    finally:
        await connection.close()
    assert (found, [row["name"] for row in names]) == (2, ["网上商城"])


@pytest.mark.parametrize(
    ("arguments", "content", "sentence"),
    [
        ((), None, "cannot be read"),
        ((), b"key,name\n", "The column “class” is missing"),
        ((), "键".encode("gb18030"), "?encoding=gb18030"),
        (("--encoding", "latin1"), b"", "Say utf-8 or gb18030"),
    ],
)
async def test_what_cannot_be_done_is_a_sentence(
    platform: EmbeddedPlatform, tmp_path: Path, arguments: tuple[str, ...], content: bytes | None, sentence: str
) -> None:
    file = tmp_path / "items.csv"
    if content is not None:
        file.write_bytes(content)
    code, said, complained = await import_items(str(file), *arguments, OPSLEDGER_DATA_DIR=str(platform.folder.path))
    assert (code, said) == (1, "")
    assert sentence in complained
    assert "Traceback" not in complained


async def test_where_nothing_runs_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "items.csv"
    file.write_bytes(TEMPLATE.encode())
    code, _, complained = await import_items(str(file), OPSLEDGER_DATA_DIR=str(tmp_path / "data"))
    assert code == 1
    assert "Opsledger does not run in" in complained
