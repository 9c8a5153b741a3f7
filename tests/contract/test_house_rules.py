"""Rules of the house that no linter knows. Each failure names the file, the line and what to do instead."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTEXTS = sorted(path.name for path in (ROOT / "services").iterdir() if (path / "pyproject.toml").exists())
PACKAGES = [ROOT / "libs/events/src", ROOT / "libs/runtime/src", ROOT / "opsledger/src"]
PACKAGES += [ROOT / "services" / context / "src" for context in CONTEXTS]
LONGEST = 400

BUSINESS = re.compile(
    r"(?<![a-z])(incidents?|tickets?|alerts?|slas?|breach(?:es|ed)?|escalations?|alertmanager|knowledge article"
    r"|change request|change advisory|maintenance window|patrols?|rosters?|on-?call|configuration items?|cmdb"
    r"|service desk|priorit(?:y|ies)|severity|impact|urgency|customers?|contacts?|notifications?|agreements?"
    r"|calendars?)(?![a-z])",
    re.IGNORECASE,
)
"""Words of the domain, as words: `_` and `.` separate, so `sla_app` is found and `translate` is not.

Bare `notify` is left out: it is what Postgres calls waking a listener.
"""

SUBJECT = re.compile(r"opsledger\.(evt|relay)\b(?!\.<)")  # `<context>` marks a text for people


def sources(*suffixes: str) -> Iterator[Path]:
    for package in PACKAGES:
        for path in sorted(package.rglob("*")):
            if path.suffix in suffixes and "__pycache__" not in path.parts:
                yield path


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def strings(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Every string literal that is not a docstring or a comment on a value."""
    described = {
        id(statement.value)
        for node in ast.walk(module)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for statement in node.body
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in described:
            yield node.lineno, node.value


def fail_if(found: list[str], rule: str) -> None:
    if found:
        pytest.fail(f"{rule}\n  " + "\n  ".join(found), pytrace=False)


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    outside = [path for folder in ("tests", "bench") for path in sorted((ROOT / folder).rglob("*.py"))]
    everything = [*sources(".py", ".sql"), *outside]
    found = [
        f"{shown(path)}: {lines} lines"
        for path in everything
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST
    ]
    fail_if(found, f"Split by subject: at most {LONGEST} lines in a file.")


def test_subjects_are_spelled_in_one_module() -> None:
    found = [
        f"{shown(path)}:{line}: {text!r}"
        for path in sources(".py")
        if path.name != "subjects.py"
        for line, text in strings(tree(path))
        if SUBJECT.search(text)
    ]
    fail_if(found, "Use opsledger_events.subjects; a subject is spelled nowhere else.")


def test_the_contracts_need_pydantic_alone() -> None:
    allowed = {*sys.stdlib_module_names, "pydantic", "pydantic_core", "opsledger_events"}
    found = []
    for path in sorted((ROOT / "libs/events/src").rglob("*.py")):
        for node in ast.walk(tree(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            found += [f"{shown(path)}:{node.lineno}: {name}" for name in names if name.split(".")[0] not in allowed]  # type: ignore[attr-defined]
    fail_if(found, "Other enterprises' subscribers install opsledger-events: it imports pydantic and nothing else.")


def schemas_of(context: str) -> set[str]:
    return {context} | ({"mart"} if context == "reporting" else set())


def naming_others(context: str) -> re.Pattern[str]:
    others = "|".join(sorted(schema for other in CONTEXTS if other != context for schema in schemas_of(other)))
    before = "from|join|into|update|table|view|on|using|references|only|exists"
    return re.compile(rf"\b(?:{before})\s+\"?({others})\"?\s*\.\s*\"?[a-z_]", re.IGNORECASE)


def test_the_check_of_schemas_finds_a_foreign_one() -> None:
    for text in ("select * from sla.clock", 'join "mart"."dim_date" d', "insert into notify.contact values (1)"):
        assert naming_others("incident").search(text), text
    for text in ("select * from incident.queue", "select * from es.event", "from sla_of_incident s"):
        assert not naming_others("incident").search(text), text


@pytest.mark.parametrize("context", CONTEXTS)
def test_no_sql_names_another_services_schema(context: str) -> None:
    named = naming_others(context)
    found = []
    for path in sorted((ROOT / "services" / context / "src").rglob("*")):
        if path.suffix == ".py":
            texts = list(strings(tree(path)))
        elif path.suffix == ".sql":
            texts = list(enumerate(path.read_text(encoding="utf-8").splitlines(), 1))
        else:
            continue
        found += [f"{shown(path)}:{line}: {hit[0]}" for line, text in texts for hit in named.finditer(text)]
    fail_if(found, "No service reads another's tables: project its events into tables of your own (D12).")


def test_the_runtime_knows_no_business_word() -> None:
    found = []
    for path in sorted((ROOT / "libs/runtime/src").rglob("*")):
        if path.suffix not in (".py", ".sql"):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found += [f"{shown(path)}:{number}: {hit[0]!r} in: {line.strip()}" for hit in BUSINESS.finditer(line)]
    fail_if(found, "libs/runtime is plumbing: a word of the domain belongs to a service.")


def test_the_check_of_business_words_finds_one() -> None:
    for text in ("incident_id", "sla.app", "an Alertmanager", "OPSLEDGER_SLA_URL"):
        assert BUSINESS.search(text), text
    for text in ("translate", "island", "coincidental", "slack", "impacted"):
        assert not BUSINESS.search(text), text


def test_no_service_sql_reads_the_databases_clock_for_a_fact() -> None:
    """Domain time comes from `Clock`; leases and parking use clock_timestamp() in the runtime alone (D10)."""
    clock = re.compile(r"\b(now\(\)|current_timestamp|current_date|localtimestamp|statement_timestamp\(\))", re.I)
    statement = re.compile(r"\b(select|insert|update|delete|default|where|values)\b", re.I)
    found = []
    for path in sources(".py", ".sql"):
        texts = (
            list(strings(tree(path)))
            if path.suffix == ".py"
            else list(enumerate(re.sub(r"--.*", "", path.read_text(encoding="utf-8")).splitlines(), 1))
        )
        found += [
            f"{shown(path)}:{line}: {text.strip()[:100]}"
            for line, text in texts
            if clock.search(text) and statement.search(text)
        ]
    fail_if(found, "SQL does not ask what time it is: pass the instant as a parameter (D10).")


def test_every_module_says_what_it_owns() -> None:
    found = [
        shown(path)
        for path in [*sources(".py"), *sorted((ROOT / "tests").rglob("*.py"))]
        if path.read_text(encoding="utf-8").strip() and not ast.get_docstring(tree(path))
    ]
    fail_if(found, "Begin the module with a docstring that says what it owns and what it refuses.")


def test_tests_have_names_of_their_own() -> None:
    seen: dict[str, Path] = {}
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if path.name in seen:
            found.append(f"{shown(path)} and {shown(seen[path.name])}")
        seen[path.name] = path
    fail_if(found, "Give test modules different names.")
