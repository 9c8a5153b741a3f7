"""Logging as in a service: structlog's own default draws pictures of stack traces, which takes seconds."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from opsledger_runtime import logs


@pytest.fixture(autouse=True, scope="session")
def plain_logs() -> Iterator[None]:
    """Warnings and worse, as JSON lines."""
    root = logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, structlog.get_config()
    logs.configure("warning", json=True)
    yield
    root.handlers[:], root.level = handlers, level
    structlog.configure(**before)
