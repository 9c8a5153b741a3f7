"""What is written down about the mart is what the mart says of itself. `make mart-documents` writes it anew."""

import os
from pathlib import Path

import yaml
from tests.support import mart_documents
from tests.support.mart import mart

ROOT = Path(__file__).parents[3]
SOURCES = ROOT / "deploy" / "dbt" / "sources.yml"
PAGE = ROOT / "docs" / "reporting.md"


async def test_dbt_sources_and_the_page_say_what_the_database_says(database: str) -> None:
    async with mart(database) as store:
        found = await mart_documents.columns(store.pool)
    sources = mart_documents.sources(found)
    parts = {"tables": mart_documents.tables(found), "indicators": mart_documents.indicators()}
    page = mart_documents.with_parts(PAGE.read_text(encoding="utf-8"), parts)
    if os.environ.get("OPSLEDGER_WRITE_DOCUMENTS"):
        SOURCES.write_text(sources, encoding="utf-8")
        PAGE.write_text(page, encoding="utf-8")
    assert SOURCES.read_text(encoding="utf-8") == sources
    assert PAGE.read_text(encoding="utf-8") == page
    assert len(found) > 200


async def test_datasets_of_superset_show_columns_that_are_there_with_the_words_of_the_database(database: str) -> None:
    seen = 0
    async with mart(database) as store, store.pool.acquire() as connection:
        comments = {row["comment"] for row in await mart_documents.columns(connection)}
        for path in sorted((ROOT / "deploy" / "superset" / "assets" / "datasets").rglob("*.yaml")):
            dataset = yaml.safe_load(path.read_text(encoding="utf-8"))
            async with connection.transaction():
                await connection.execute("set local role bi_reader")
                statement = await connection.prepare(dataset["sql"])
                shown = [attribute.name for attribute in statement.get_attributes()]
                for metric in dataset["metrics"]:
                    await connection.fetch(f"select {metric['expression']} from ({dataset['sql']}) as shown")
            assert [column["column_name"] for column in dataset["columns"]] == shown, path.name
            assert {column["description"] for column in dataset["columns"]} <= comments, path.name
            seen += 1
    assert seen == 4
