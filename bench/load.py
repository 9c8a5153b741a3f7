"""A lean HTTP load, in a process of its own: it shares the machine's cores with what it measures.

`closed` keeps a number of clients busy; `paced` sends at a rate and measures from the instant a request was meant to be
sent, so that a stall counts for everyone who would have come meanwhile. Requests are bytes made beforehand; of answers
only the status, the length and `Location` are read.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from bench import apart
from bench.measuring import percentile

NUMBER: Final = "@@number@@"
"""In a path or a body: the request's number, ten digits, from 1 up over all clients."""

_ANSWER_SECONDS: Final = 30.0
_CONNECT_SECONDS: Final = 10.0


class BadAnswer(RuntimeError):
    """The server's answer is none that this client understands, or it closed the connection."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, again and again. Bodies are taken in turn; each request gets a key `<key>-<number>`.

    `key` None: no Idempotency-Key. `token` None: no Authorization. `count`: a closed load ends after so many requests,
    should there be time for them.
    """

    method: Literal["GET", "POST", "PUT"]
    path: str
    token: str | None = None
    bodies: Sequence[str] = ("",)
    key: str | None = None
    headers: Mapping[str, str] | None = None
    first: int = 1
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came back. Instants are CLOCK_MONOTONIC seconds, comparable with `time.monotonic()` of other processes.

    `locations` and `ended` are those of accepted requests, in the order of their answers. `seconds` is from the first
    request to the last answer. `late`: paced requests that found every connection busy.
    """

    seconds: float
    statuses: dict[str, int]
    latencies_ms: list[float]
    locations: list[str]
    ended: list[float]
    refusals: list[str]
    late: int
    cpu_seconds: float

    @property
    def accepted(self) -> int:
        """Answers of 200 to 299."""
        return sum(count for status, count in self.statuses.items() if status.startswith("2"))

    @property
    def refused(self) -> int:
        """Every other answer."""
        return sum(self.statuses.values()) - self.accepted

    @property
    def rate(self) -> float:
        """Accepted requests per second."""
        return self.accepted / self.seconds if self.seconds else 0.0

    @property
    def p50_ms(self) -> float:
        return percentile(self.latencies_ms, 0.5)

    @property
    def p99_ms(self) -> float:
        return percentile(self.latencies_ms, 0.99)


async def closed(url: str, request: Request, *, clients: int, seconds: float) -> Loaded:
    """So many clients, each sending its next request when it has its answer, for so long."""
    return await _apart(url, request, connections=clients, seconds=seconds, rate=0.0)


async def paced(url: str, request: Request, *, rate: float, seconds: float, connections: int = 64) -> Loaded:
    """So many requests a second, whether or not answers come; at most `connections` under way."""
    return await _apart(url, request, connections=connections, seconds=seconds, rate=rate)


async def _apart(url: str, request: Request, *, connections: int, seconds: float, rate: float) -> Loaded:
    given = {"url": url, "request": asdict(request), "connections": connections, "seconds": seconds, "rate": rate}
    outcome = await apart.run("bench.load:generate", given, timeout=seconds + 120.0)
    return Loaded(**outcome.value, cpu_seconds=outcome.cpu_seconds)


# In the process of its own


def prebuilt(request: Request, host: str) -> list[tuple[bytes, ...]]:
    """The pieces between which a request's number goes, one tuple for each body.

    A body's length is the same for every number, since the number always has ten digits.
    """
    found = []
    for text in request.bodies or ("",):
        body = text.encode()
        length = len(body) + body.count(NUMBER.encode()) * (10 - len(NUMBER))
        lines = [f"{request.method} {request.path} HTTP/1.1", f"Host: {host}"]
        if request.token is not None:
            lines.append(f"Authorization: Bearer {request.token}")
        if request.key is not None:
            lines.append(f"Idempotency-Key: {request.key}-{NUMBER}")
        if body or request.method != "GET":
            lines += ["Content-Type: application/json", f"Content-Length: {length}"]
        lines += [f"{name}: {value}" for name, value in (request.headers or {}).items()]
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        found.append(tuple((head + body).split(NUMBER.encode())))
    return found


@dataclass(frozen=True, slots=True)
class Head:
    """What matters of an answer's first lines. `size` is of the whole answer in bytes."""

    status: int
    size: int
    location: str


def read_head(data: bytes | bytearray) -> Head | None:
    """The head of an answer, or None while it is not complete.

    Raises:
        BadAnswer: no HTTP/1.1 answer, or one without a length.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(data[:end]).lower() + b"\r\n"
    if not head.startswith(b"http/1.1 "):
        raise BadAnswer(f"no HTTP/1.1 answer: {bytes(data[:80])!r}")
    status = int(head[9:12])
    length = _value(head, b"\r\ncontent-length:")
    if length is None and status not in (204, 304):
        raise BadAnswer(f"an answer without a length: {bytes(data[:end])!r}")
    place = head.find(b"\r\nlocation:")
    location = ""
    if place >= 0:  # read from the answer as it was sent, not from the folded copy
        location = bytes(data[place + 11 : head.index(b"\r\n", place + 2)]).decode("ascii").strip()
    return Head(status, end + 4 + int(length or 0), location)


def _value(head: bytes, name: bytes) -> bytes | None:
    place = head.find(name)
    if place < 0:
        return None
    place += len(name)
    return head[place : head.index(b"\r\n", place)].strip()


class _Connection(asyncio.Protocol):
    """One keep-alive connection; one request at a time."""

    def __init__(self, run: "_Run") -> None:
        self._run = run
        self._data = bytearray()
        self._head: Head | None = None
        self._transport: Any = None
        self.intended = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def send(self, request: bytes, intended: float) -> None:
        self.intended = intended
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        try:
            if self._head is None:
                self._head = read_head(self._data)
        except BadAnswer as error:
            self._run.broke(error)
            return
        if self._head is None or len(self._data) < self._head.size:
            return
        head, self._head = self._head, None
        body = bytes(self._data)
        self._data.clear()
        self._run.answered(self, head, body)

    def connection_lost(self, error: Exception | None) -> None:
        self._run.broke(BadAnswer(f"the server closed a connection: {error!r}"))

    def close(self) -> None:
        self._transport.close()


class _Run:
    """One load from its first request to its last answer."""

    def __init__(
        self, pieces: "Sequence[tuple[bytes, ...]]", first: int, seconds: float, rate: float, count: int | None = None
    ) -> None:
        self._pieces = pieces
        self._first = self._number = first
        self._count = count
        self._seconds = seconds
        self._rate = rate
        self._begun = 0.0
        self._last = 0.0
        self._free: deque[_Connection] = deque()
        self._waiting: deque[float] = deque()
        self._under_way = 0
        self._sending = True
        self._late = 0
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._statuses: Counter[int] = Counter()
        self._latencies: list[float] = []
        self._locations: list[str] = []
        self._ended: list[float] = []
        self._refusals: list[str] = []

    async def run(self, connections: "Sequence[_Connection]") -> None:
        self._begun = time.monotonic()
        if self._rate:
            self._free.extend(connections)
            await self._pace()
        else:
            for connection in connections[: self._count]:
                self._send(connection, time.monotonic())
        async with asyncio.timeout(self._seconds + _ANSWER_SECONDS):
            await self._over

    async def _pace(self) -> None:
        total = int(self._rate * self._seconds)
        for index in range(total):
            intended = self._begun + index / self._rate
            if (pause := intended - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            if self._over.done():
                return
            if self._free:
                self._send(self._free.popleft(), intended)
            else:
                self._late += 1
                self._waiting.append(intended)
            if index % 16 == 15:
                await asyncio.sleep(0)  # a generator that is behind must still read its answers
        self._sending = False
        self._finish()

    def _send(self, connection: _Connection, intended: float) -> None:
        pieces = self._pieces[(self._number - self._first) % len(self._pieces)]
        request = pieces[0] if len(pieces) == 1 else (b"%010d" % self._number).join(pieces)
        self._number += 1
        self._under_way += 1
        connection.send(request, intended)

    def answered(self, connection: _Connection, head: Head, body: bytes) -> None:
        now = self._last = time.monotonic()
        self._under_way -= 1
        self._statuses[head.status] += 1
        if 200 <= head.status < 300:
            self._latencies.append((now - connection.intended) * 1000)
            self._locations.append(head.location)
            self._ended.append(now)
        elif len(self._refusals) < 5:
            self._refusals.append(body[-300:].decode(errors="replace"))
        if self._rate:
            if self._waiting:
                self._send(connection, self._waiting.popleft())
            else:
                self._free.append(connection)
                self._finish()
        elif now - self._begun < self._seconds and self._number - self._first != self._count:
            self._send(connection, now)
        else:
            self._sending = False
            self._finish()

    def _finish(self) -> None:
        if not self._sending and not self._under_way and not self._waiting and not self._over.done():
            self._over.set_result(None)

    def broke(self, error: BadAnswer) -> None:
        if not self._over.done():
            self._over.set_exception(error)

    def told(self) -> dict[str, Any]:
        return {
            "seconds": self._last - self._begun,
            "statuses": {str(status): count for status, count in self._statuses.items()},
            "latencies_ms": self._latencies,
            "locations": self._locations if any(self._locations) else [],
            "ended": self._ended,
            "refusals": self._refusals,
            "late": self._late,
        }


async def generate(url: str, request: dict[str, Any], connections: int, seconds: float, rate: float) -> dict[str, Any]:
    """The load itself; called by `closed` and `paced` in a process of its own."""
    place = urlsplit(url)
    host, port = place.hostname or "127.0.0.1", place.port or 80
    pieces = prebuilt(Request(**request), f"{host}:{port}")
    run = _Run(pieces, request["first"], seconds, rate, request["count"])
    loop = asyncio.get_running_loop()
    made: list[_Connection] = []
    async with asyncio.timeout(_CONNECT_SECONDS):
        for _ in range(connections):
            _, connection = await loop.create_connection(lambda: _Connection(run), host, port)
            made.append(connection)
    await run.run(made)
    found = run.told()
    for connection in made:
        connection.close()
    return found
