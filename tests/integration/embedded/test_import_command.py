"""`opsledger import servicenow` as a person runs it: into what runs in a data folder, or a sentence why not."""

import csv
import re
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.support.data_folder import migrate_incident, opsledger
from tests.support.histories import INVENTED, KNOWN, LOGS, log_of

from opsledger import importing_history
from opsledger.importing_report import SHOWN
from opsledger.telling import Teller
from opsledger_runtime.embedded.platform import EmbeddedPlatform

LISBON = ("--time-zone", "Europe/Lisbon")


async def servicenow(*arguments: str, **environ: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    return await opsledger("import", "servicenow", *arguments, **environ)


@pytest.fixture(scope="module")
async def folder(platform: EmbeddedPlatform) -> str:
    await migrate_incident(platform)
    return str(platform.folder.path)


async def one(platform: EmbeddedPlatform, query: str) -> Any:
    connection = await asyncpg.connect(platform.access("incident").owner_database_url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def table(said: str) -> dict[str, int]:
    """The counts that stand at the end."""
    rows = re.findall(r"^ *([a-z_, ]+?) {2,}([\d,]+)$", said, re.MULTILINE)
    return {name: int(count.replace(",", "")) for name, count in rows}


@pytest.mark.parametrize("log", LOGS, ids=str)
async def test_a_log_is_imported_once(platform: EmbeddedPlatform, folder: str, log: Path, tmp_path: Path) -> None:
    facts, listed = KNOWN[log], tmp_path / "rows.csv"
    before = await one(platform, "select count(*) from es.event")
    arguments = (str(log), *LISBON, "--data-dir", folder)
    code, dry, complained = await servicenow(*arguments, "--dry-run")
    assert (code, complained) == (0, "")
    assert "Nothing was written: this was a dry run." in dry
    assert await one(platform, "select count(*) from es.event") == before
    code, said, complained = await servicenow(*arguments, "--report", str(listed))
    assert (code, complained) == (0, "")
    assert table(said) == table(dry)
    counts = table(said)
    assert (counts["rows"], counts["incidents"], counts["new or continued"]) == (
        facts.rows,
        facts.incidents,
        facts.incidents,
    )
    assert (counts["begins"], counts["rows damaged"]) == (facts.begun_elsewhere, 0)
    assert "nobody is notified of history" in said
    after = await one(platform, "select count(*) from es.event")
    assert after == before + counts["events"] + 1, "and one that says that it is told"
    rows = list(csv.DictReader(listed.open(encoding="utf-8")))
    assert len({row["line"] for row in rows}) == counts["rows irregular"]
    assert sum(row["kind"] == "begins" for row in rows) == facts.begun_elsewhere
    code, said, _ = await servicenow(*arguments)
    assert (code, table(said)["events"], table(said)["skipped, recorded before"]) == (0, 0, facts.incidents)
    assert await one(platform, "select count(*) from es.event") == after


async def test_what_was_cut_off_before_its_end_was_told_is_told_by_the_next_run(
    platform: EmbeddedPlatform, folder: str, tmp_path: Path
) -> None:
    """The completion is taken away, as if the process had been killed just before it."""
    log = tmp_path / "cut.csv"
    log.write_bytes(log_of({"number": "CUT1"}))
    for longer, expected in ((b"", 1), (b"\n", 1)):
        await one(
            platform, "delete from es.outbox where event in (select id from es.event where type like '%History%')"
        )
        await one(platform, "delete from es.event where type like '%HistoryImport%'")
        log.write_bytes(log.read_bytes() + longer)
        code, _, complained = await servicenow(str(log), *LISBON, "--data-dir", folder)
        assert (code, complained) == (0, "")
        told = await one(platform, "select count(*) from es.event where type like '%HistoryImport%'")
        assert told == expected, longer


async def test_incidents_whose_rows_are_scattered_are_put_together(
    platform: EmbeddedPlatform, folder: str, tmp_path: Path
) -> None:
    header, *lines = INVENTED.read_text().replace("INC9", "SCT9").splitlines(keepends=True)
    lines.sort(key=lambda line: line.split(",")[5])  # by count of updates: every incident is everywhere
    log = tmp_path / "scattered.csv"
    log.write_text(header + "".join(lines))
    code, said, _ = await servicenow(str(log), *LISBON, "--data-dir", folder)
    assert (code, table(said)["new or continued"]) == (0, 10)
    log.write_text(header + "".join(sorted(lines)))
    code, said, _ = await servicenow(str(log), *LISBON, "--data-dir", folder)
    assert (code, table(said)["events"]) == (0, 0)


async def test_more_scattered_rows_than_fit_are_refused(
    monkeypatch: pytest.MonkeyPatch, platform: EmbeddedPlatform, folder: str, tmp_path: Path
) -> None:
    monkeypatch.setattr(importing_history, "MOST_HELD", 3)
    log = tmp_path / "scattered.csv"
    log.write_bytes(log_of(*({"number": f"SC{index % 2}"} for index in range(8))))
    wanted = importing_history.Wanted(log, "Europe/Lisbon")
    with pytest.raises(importing_history.CannotStart, match="Sort it by number"):
        await importing_history.import_history(wanted, Path(folder), {}, Teller())


async def test_damaged_rows_are_listed_and_the_rest_goes_in(
    platform: EmbeddedPlatform, folder: str, tmp_path: Path
) -> None:
    log, listed = tmp_path / "damaged.csv", tmp_path / "rows.csv"
    bad = [{"number": f"BAD{index}", "impact": "=1+1"} for index in range(60)]
    log.write_bytes(log_of({"number": "GOOD1"}, *bad, {"number": "GOOD2"}))
    code, said, _ = await servicenow(str(log), *LISBON, "--data-dir", folder, "--report", str(listed))
    assert code == 0
    assert "line 3: impact is none of 1 to 3: '=1+1'" in said
    assert said.count("impact is none of") == SHOWN
    assert "all of them:" in said
    counts = table(said)
    assert (counts["rows"], counts["rows damaged"], counts["incidents"]) == (62, 60, 2)
    assert sum(row["kind"] == "damaged" for row in csv.DictReader(listed.open(encoding="utf-8"))) == 60


@pytest.mark.parametrize(
    ("content", "arguments", "sentence"),
    [
        (None, LISBON, "log.csv cannot be read: No such file or directory."),
        (b"", LISBON, "The file is empty."),
        (b"\x89PNG\r\n\0", LISBON, "is no CSV in UTF-8"),
        (b"number,number\n", LISBON, "more than once: number"),
        (b"a,b\n1,2\n", LISBON, "columns are missing: number, incident_state"),
        (INVENTED.read_bytes(), ("--time-zone", "Europe/Atlantis"), "There is no time zone 'Europe/Atlantis'"),
        (INVENTED.read_bytes(), (*LISBON, "--report", "/nowhere/rows.csv"), "The report cannot be written"),
        (INVENTED.read_bytes(), (*LISBON, "--data-dir", "/nowhere"), "Opsledger does not run in /nowhere"),
    ],
)
async def test_what_cannot_be_done_is_a_sentence(
    folder: str, tmp_path: Path, content: bytes | None, arguments: tuple[str, ...], sentence: str
) -> None:
    log = tmp_path / "log.csv"
    if content is not None:
        log.write_bytes(content)
    code, _, complained = await servicenow(str(log), "--data-dir", folder, *arguments)
    assert code == 1
    assert sentence in " ".join(complained.split()), complained
    assert "Traceback" not in complained


async def test_what_is_no_file_of_rows_is_a_sentence_and_a_zone_is_asked_for(folder: str, tmp_path: Path) -> None:
    code, _, complained = await servicenow(str(tmp_path), *LISBON, "--data-dir", folder)
    assert code == 1
    assert "cannot be read: Is a directory." in " ".join(complained.split())
    log = tmp_path / "log.csv"
    log.write_bytes(INVENTED.read_bytes())
    code, _, complained = await servicenow(str(log), *LISBON, "--data-dir", folder, "--report", str(log))
    assert (code, log.read_bytes()) == (1, INVENTED.read_bytes())
    assert "would overwrite the log itself" in complained
    code, _, complained = await servicenow("/dev/null", *LISBON, "--data-dir", folder)
    assert "The file is empty." in complained
    code, _, complained = await servicenow(str(INVENTED), "--data-dir", folder)
    assert code == 2
    assert "--time-zone" in complained
