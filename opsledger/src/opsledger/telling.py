"""What a person at the terminal sees while Opsledger starts and stops: one line for each step."""

import sys
from contextlib import suppress
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status


class Teller:
    """Lines on standard output: with a moving sign on a terminal, plain where output is a file or a pipe.

    A terminal that is gone must not keep anything from being stopped, so a failing write is let pass.
    """

    def __init__(self, console: Console | None = None) -> None:
        for stream in (sys.stdout, sys.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:  # a terminal that cannot show a character shows a question mark
                reconfigure(errors="replace")
        # A pipe has no width; 120 keeps tables and sentences whole there.
        self.console = console or Console(highlight=False, width=None if sys.stdout.isatty() else 120)
        self._status: Status | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rest()

    def begin(self, text: str) -> None:
        """A step begins that may take a while."""
        with suppress(OSError):
            if self.console.is_terminal:
                if self._status is None:
                    self._status = self.console.status(text)
                    self._status.start()
                self._status.update(text)
            else:
                self.line(text)

    def done(self, text: str) -> None:
        """A step has ended."""
        self.line(f"✓ {text}")

    def line(self, text: str = "") -> None:
        """One line, never wrapped and never read as markup."""
        with suppress(OSError):
            self.console.print(text, soft_wrap=True, markup=False, highlight=False)

    def settle(self, text: str) -> None:
        """One line, and nothing moves any more."""
        self._rest()
        self.line(text)

    def _rest(self) -> None:
        if self._status is not None:
            with suppress(OSError):
                self._status.stop()
            self._status = None
