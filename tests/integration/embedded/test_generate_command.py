"""`opsledger generate` as a person runs it: into what runs in a data folder, or one sentence that says why not."""

import asyncio
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from tests.support.data_folder import migrate_incident, opsledger

from incident import generating
from opsledger.generate import Wanted
from opsledger_events import Envelope
from opsledger_runtime.embedded.platform import EmbeddedPlatform
from opsledger_runtime.embedded.problems import CannotStart
from opsledger_runtime.embedded.reach import database_url


async def generate(*arguments: str, **environ: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    return await opsledger("generate", *arguments, **environ)


async def test_a_database_without_tables_is_a_sentence(platform: EmbeddedPlatform) -> None:
    code, _, complained = await generate("--incidents", "5", OPSLEDGER_DATA_DIR=str(platform.folder.path))
    assert code == 1
    assert "has no tables of the incident service yet" in complained
    assert "Traceback" not in complained


async def test_the_folder_says_where_its_database_is(platform: EmbeddedPlatform) -> None:
    assert database_url(platform.folder.path, "incident") == platform.access("incident").database_url
    with pytest.raises(CannotStart, match="still starting"):
        database_url(platform.folder.path, "unheard_of")


@pytest.fixture(scope="module")
async def migrated(platform: EmbeddedPlatform) -> EmbeddedPlatform:
    await migrate_incident(platform)
    return platform


async def test_it_fills_what_runs_in_the_data_folder_and_adds_nothing_the_second_time(
    migrated: EmbeddedPlatform,
) -> None:
    arguments = ("--incidents", "300", "--days", "30", "--data-dir", str(migrated.folder.path))
    code, said, complained = await generate(*arguments)
    assert (code, complained) == (0, "")
    last = said.strip().splitlines()[-1]
    assert re.fullmatch(r"300 incidents with 1,\d{3} events written in [\d.]+ s \([\d,]+/s\)\.", last), said
    assert "catch up by the bus" in said
    code, said, _ = await generate(*arguments)
    assert code == 0
    assert "300 incidents of seed 1 were there already" in said
    assert said.strip().splitlines()[-1].startswith("0 incidents with 0 events written")
    code, said, _ = await generate(*arguments, "--seed", "2", "--profile", "brief", "--open", "10")
    assert said.strip().splitlines()[-1].startswith("300 incidents with 570 events written"), said
    connection = await asyncpg.connect(migrated.access("incident").owner_database_url)
    try:
        assert await connection.fetchval("select count(*) from incident.incident_queue") == 600
        assert await connection.fetchval("select count(*) from es.outbox") == await connection.fetchval(
            "select count(*) from es.event"
        )
        completed = await connection.fetch(
            "select aggregate from es.event where type like '%HistoryImport%' order by 1"
        )
        assert [row["aggregate"] for row in completed] == ["import-generated-1", "import-generated-2"]
    finally:
        await connection.close()


async def test_it_writes_to_servers_of_ones_own(migrated: EmbeddedPlatform) -> None:
    url = migrated.access("incident").database_url
    given = {"OPSLEDGER_INCIDENT_DATABASE_URL": url, "OPSLEDGER_INSTALLATION": "elsewhere"}
    code, _, complained = await generate("--incidents", "3", "--seed", "3", **given)
    assert (code, complained) == (0, "")
    connection = await asyncpg.connect(migrated.access("incident").owner_database_url)
    try:
        bodies = await connection.fetch("select body from es.event where command = $1", generating.command_id(3, 0))
        assert {Envelope.from_json(row["body"]).source for row in bodies} == {"/opsledger/elsewhere/incident"}
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"incidents": -5}, "--incidents is -5; give a number from 1 to 50,000,000."),
        ({"incidents": 50_000_001}, "--incidents is 50000001; give a number"),
        ({"days": 0}, "--days is 0; give a number from 1 to 3,650."),
        ({"open_percent": 100.5}, "--open is 100.5; give a number from 0 to 100."),
        ({"open_percent": float("nan")}, "--open is nan"),
        ({"writers": 0}, "--workers is 0"),
        ({"seed": -1}, "--seed is -1"),
        ({"profile": "long"}, "There is no profile 'long'. There are: full, brief."),
    ],
)
def test_options_out_of_range_are_named(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CannotStart, match=re.escape(sentence)):
        Wanted(**{"incidents": 1, **given}).checked()


async def test_what_cannot_be_done_is_a_sentence(migrated: EmbeddedPlatform, tmp_path: Path) -> None:
    good = migrated.access("incident").database_url
    link = urlsplit(good)
    wrong = link._replace(netloc=f"incident_app:wrong@127.0.0.1:{link.port}").geturl()
    few = ("--incidents", "5")
    cases: list[tuple[tuple[str, ...], dict[str, str], str]] = [
        (("--incidents", "0"), {}, "give a number from 1 to 50,000,000"),
        (few, {"OPSLEDGER_DATA_DIR": str(tmp_path)}, f"Opsledger does not run in {tmp_path}"),
        (few, {"OPSLEDGER_DATABASE_URL": "nonsense"}, "The database's URL cannot be used"),
        (few, {"OPSLEDGER_DATABASE_URL": "postgresql://a@127.0.0.1:1/b"}, "cannot be reached or refuses"),
        (few, {"OPSLEDGER_DATABASE_URL": wrong}, "does not let us in"),
        (few, {"OPSLEDGER_DATABASE_URL": good, "OPSLEDGER_CLOCK_FILE": "x"}, "refused in production"),
    ]
    told = await asyncio.gather(*(generate(*arguments, **environ) for arguments, environ, _ in cases))
    for (arguments, _, sentence), (code, _, complained) in zip(cases, told, strict=True):
        assert code == 1, arguments
        assert sentence in " ".join(complained.split()), (arguments, complained)
        assert "Traceback" not in complained


async def test_too_little_disk_is_said_before_anything_is_written(migrated: EmbeddedPlatform) -> None:
    if shutil.disk_usage(migrated.folder.path).free > 1_000_000_000_000:
        pytest.skip("this disk has room for fifty million")
    code, _, complained = await generate("--incidents", "50000000", "--data-dir", str(migrated.folder.path))
    assert code == 1
    assert "of disk" in complained
