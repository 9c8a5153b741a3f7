"""A rule that refuses is worded for everybody who is refused: in English where it is raised, in Chinese by its code."""

import ast
import re
from pathlib import Path

import pytest

from opsledger.services import CONTEXTS, service

ROOT = Path(__file__).parents[2]


def rules(context: str) -> set[str]:
    """Every rule that a service's code names when it refuses."""
    found: set[str] = set()
    for file in (ROOT / "services" / context / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "RuleViolated":
                found |= {
                    word.value.value
                    for word in node.keywords
                    if word.arg == "rule" and isinstance(word.value, ast.Constant) and isinstance(word.value.value, str)
                }
    return found


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_rule_that_refuses_has_chinese_words(context: str) -> None:
    messages = service(context).messages
    assert rules(context) <= messages.keys(), rules(context) - messages.keys()
    assert all(re.search(r"[\u4e00-\u9fff]", text) and text.endswith("。") for text in messages.values())


def test_the_incident_rules_are_found() -> None:
    assert "R16" in rules("incident")
