"""Log lines: one JSON object each, or coloured text on a terminal, with the ids of the request or message bound.

Owns the configuration of structlog and of the standard library's logging, whose lines come out in the same shape.
structlog's own lines go straight to the stream: the way through the standard library takes several times as long, and
every request leaves one.
"""

import json as stdlib_json
import logging
import sys
from typing import Any, TextIO

import pydantic_core
import structlog
from structlog.processors import NAME_TO_LEVEL
from structlog.typing import EventDict


class _Stream:
    """Where structlog's lines go, and from which level on; loggers that were made before a change follow it."""

    def __init__(self) -> None:
        self.handler: logging.StreamHandler[TextIO] = logging.StreamHandler(sys.stderr)
        self.level = logging.INFO

    def __call__(self, *_: Any) -> "_Stream":
        return self

    def filter(self, _: Any, method: str, event: EventDict) -> EventDict:
        """Drop what is below the level."""
        if NAME_TO_LEVEL[method] < self.level:
            raise structlog.DropEvent
        return event

    def msg(self, line: str) -> None:
        """Write one line under the lock that the standard library's lines take, so that none is cut in two."""
        self.handler.acquire()
        try:
            self.handler.stream.write(line + "\n")
            self.handler.flush()
        except (OSError, ValueError):
            pass  # a full disk or a closed stream costs the line, not the request that it tells of
        finally:
            self.handler.release()

    debug = info = warning = error = critical = msg


_STREAM = _Stream()


def configure(level: str = "info", *, json: bool | None = None, stream: TextIO | None = None) -> None:
    """Set up logging of the process. `json` None: JSON unless the stream is a terminal."""
    out = stream if stream is not None else sys.stderr
    as_json = not out.isatty() if json is None else json
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = (
        _render
        if as_json
        # Plain: the default one prints local variables, and with them tokens and people's data.
        else structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
    )
    tail: list[Any] = [structlog.processors.format_exc_info, renderer] if as_json else [renderer]
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(), structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("nats").setLevel(max(logging.WARNING, root.level))
    _STREAM.handler, _STREAM.level = handler, root.level
    structlog.configure(
        processors=[_STREAM.filter, *shared, *tail],
        logger_factory=_STREAM,
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        cache_logger_on_first_use=False,
    )


def _render(_: Any, __: str, event: EventDict) -> str:
    try:
        return pydantic_core.to_json(event, fallback=repr).decode()
    except (pydantic_core.PydanticSerializationError, ValueError):  # a lone surrogate, or a ring of references
        return stdlib_json.dumps({str(name): repr(value) for name, value in event.items()})
