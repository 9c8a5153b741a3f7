"""The headers of one request, read in one pass: every look at them afterwards is a look into a dictionary."""

from collections.abc import Iterable
from typing import overload


class Head:
    """Header values by lower-case name, the first where a name came several times."""

    __slots__ = ("_first", "_repeated", "size")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._first: dict[bytes, bytes] = {}
        self._repeated: set[bytes] = set()
        self.size = 0
        """Bytes of all names and values."""
        first = self._first
        for name, value in raw:
            self.size += len(name) + len(value)
            if name in first:
                self._repeated.add(name)
            else:
                first[name] = value

    @overload
    def get(self, name: bytes) -> str | None: ...
    @overload
    def get(self, name: bytes, default: str) -> str: ...
    def get(self, name: bytes, default: str | None = None) -> str | None:
        """The value, or `default` where the header is missing."""
        found = self._first.get(name)
        return default if found is None else found.decode("latin-1")

    def repeated(self, name: bytes) -> bool:
        """Whether the header came more than once."""
        return name in self._repeated
