"""What is written down about the mart, made from the mart itself: dbt's sources and tables of docs/reporting.md."""

import json
from typing import Any

from reporting.domain.indicators import INDICATORS

_COLUMNS = """
select c.relname as table, obj_description(c.oid, 'pg_class') as table_comment, a.attname as column,
  col_description(c.oid, a.attnum) as comment, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as required,
  exists (
    select from pg_index i where i.indrelid = c.oid and i.indisunique and i.indkey::text = a.attnum::text
  ) as alone
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = 'mart'::regnamespace and c.relkind in ('r', 'v') and c.relname <> 'schema_migration'
order by c.relname, a.attnum
"""


async def columns(connection: Any) -> list[dict[str, Any]]:
    """Every column of every table and view that BI tools see, in order."""
    return [dict(row) for row in await connection.fetch(_COLUMNS)]


def sources(found: list[dict[str, Any]]) -> str:
    """deploy/dbt/sources.yml; texts are quoted as JSON, which YAML reads."""
    lines = [
        "# Written from the comments in the database: make mart-documents. Nothing here is edited by hand.",
        "version: 2",
        "sources:",
        "  - name: opsledger_mart",
        '    description: "The star schema of Opsledger, read with the login bi_reader (运维台账报表库)"',
        "    database: \"{{ env_var('OPSLEDGER_MART_DATABASE', 'opsledger_reporting') }}\"",
        "    schema: mart",
        "    tables:",
    ]
    table = None
    for row in found:
        if row["table"] != table:
            table = row["table"]
            lines += [
                f"      - name: {table}",
                f"        description: {_text(row['table_comment'])}",
                "        columns:",
            ]
        lines += [
            f"          - name: {row['column']}",
            f"            description: {_text(row['comment'])}",
            f"            data_type: {row['type']}",
        ]
        tests = [*(["not_null"] if row["required"] else []), *(["unique"] if row["alone"] else [])]
        if tests:
            lines.append(f"            data_tests: [{', '.join(tests)}]")
    return "\n".join(lines) + "\n"


def tables(found: list[dict[str, Any]]) -> str:
    """One line for each table: its name and its comment, which states the grain."""
    told = {row["table"]: row["table_comment"] for row in found}
    return "\n".join(
        ["| table | one row is |", "|---|---|", *(f"| `{name}` | {told[name]} |" for name in sorted(told))]
    )


def indicators() -> str:
    """One line for each indicator, in both languages."""
    lines = ["| indicator | formula | population | clock |", "|---|---|---|---|"]
    for found in INDICATORS.values():
        en, zh = found.en, found.zh
        cells = [f"{getattr(en, name)}<br>{getattr(zh, name)}" for name in ("formula", "population", "clock")]
        lines.append(f"| `{found.name}`<br>{en.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def with_parts(text: str, parts: dict[str, str]) -> str:
    """`text` with what stands between `<!-- name -->` and `<!-- /name -->` replaced."""
    for name, part in parts.items():
        before, _, rest = text.partition(f"<!-- {name} -->\n")
        _, _, after = rest.partition(f"<!-- /{name} -->")
        text = f"{before}<!-- {name} -->\n{part}\n<!-- /{name} -->{after}"
    return text


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
