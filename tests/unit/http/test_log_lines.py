"""What a log line looks like, and what may never happen because of one."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from opsledger_runtime import logs


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The configuration of the other tests, afterwards."""
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, level, stream = root.handlers[:], root.level, vars(logs._STREAM).copy()
    yield
    root.handlers[:], root.level = handlers, level
    vars(logs._STREAM).update(stream)
    structlog.configure(**configured)


def configured(level: str = "info") -> io.StringIO:
    out = io.StringIO()
    logs.configure(level, stream=out)
    return out


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_log_lines_are_json_with_what_is_bound() -> None:
    out = configured()
    with structlog.contextvars.bound_contextvars(trace_id="t"):
        structlog.get_logger().info("thing_done", note="中文")
        structlog.get_logger().debug("not_shown")
        logging.getLogger("other").warning("from %s", "elsewhere")
        try:
            raise RuntimeError("why")
        except RuntimeError:
            structlog.get_logger().exception("thing_failed")
    first, second, third = lines(out)
    assert (first["event"], first["note"], first["trace_id"], first["level"]) == ("thing_done", "中文", "t", "info")
    assert "中文" in out.getvalue()
    assert (second["event"], second["logger"], second["trace_id"]) == ("from elsewhere", "other", "t")
    assert (third["level"], third["event"]) == ("error", "thing_failed")
    assert "RuntimeError: why" in third["exception"]
    assert set(first) & set(second) >= {"event", "level", "timestamp"}


def test_what_is_no_json_is_shown_all_the_same() -> None:
    out = configured()
    ring: list[Any] = []
    ring.append(ring)
    log = structlog.get_logger()
    log.info("shown", error=ValueError("x"), at=2.5, of={1: "a"}, raw=b"b")
    log.info("surrogate", text="a\ud800b")
    log.info("ring", ring=ring)
    assert lines(out)[0]["error"] == "ValueError('x')"
    assert [line["event"].strip("'") for line in lines(out)] == ["shown", "surrogate", "ring"]


def test_a_logger_made_earlier_follows_a_change_of_level_and_stream() -> None:
    before = configured()
    log = structlog.get_logger().bind(service="x")
    log.info("first")
    after = configured("critical")
    log.info("not_shown")
    log.critical("second")
    assert [line["event"] for line in lines(before)] == ["first"]
    assert [(line["event"], line["service"]) for line in lines(after)] == [("second", "x")]


def test_a_stream_that_cannot_be_written_to_costs_the_line_alone() -> None:
    out = configured()
    out.close()
    structlog.get_logger().info("lost")

    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    logs.configure("info", stream=Full())
    structlog.get_logger().info("lost")
