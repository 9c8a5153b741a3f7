"""A real SMTP server that keeps what it is given, and misbehaves when told to.

In a test: `async with SmtpSink() as sink`, then `await sink.expect(to=…)`. As a process of its own, for tests that kill
things: `python -m opsledger_runtime.testing.smtp_sink --port N --file F` writes each accepted message durably to a file
of JSON lines before it answers 250. Refuses to send anything on.
"""

import argparse
import asyncio
import json
import os
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses
from pathlib import Path
from typing import Any, Final, Literal, Self

from aiosmtpd.smtp import SMTP

Behaviour = Literal["accept", "451", "550", "drop", "accept_then_drop"]

ANSWERS: Final[dict[str, str]] = {
    "accept": "250 2.0.0 kept",
    "451": "451 4.3.0 try again later",
    "550": "550 5.1.1 no such person here",
}


@dataclass(frozen=True, slots=True)
class Mail:
    """One message. `to` are the addresses of the To field, `recipients` those that the envelope named.

    `subject` and `body` are decoded text; `headers` are the decoded fields with names in lower case.
    """

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    to: tuple[str, ...]
    subject: str
    body: str
    headers: dict[str, str]


@dataclass(slots=True)
class _Planned:
    behaviour: Behaviour
    delay: float
    left: int


def parse(content: bytes, sender: str, recipients: Sequence[str]) -> Mail:
    """Decode a message as a mail program would show it."""
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    part = message.get_body(("plain", "html"))
    return Mail(
        message_id=str(message.get("Message-ID", "")).strip(),
        sender=sender,
        recipients=tuple(recipients),
        to=tuple(address for _, address in getaddresses([str(field) for field in message.get_all("To", [])])),
        subject=str(message.get("Subject", "")),
        body=part.get_content().replace("\r\n", "\n") if part is not None else "",
        headers={name.lower(): str(value) for name, value in message.items()},
    )


def read_file(file: Path) -> list[Mail]:
    """What a sink process has accepted so far; a line cut off by a kill was never answered with 250 and is left out."""
    if not file.exists():
        return []
    lines = file.read_text().split("\n")[:-1]
    found = []
    for line in lines:
        try:
            kept = json.loads(line)
        except ValueError:
            continue  # a later life of the process went on after a line that was cut off
        found.append(Mail(**{**kept, "recipients": tuple(kept["recipients"]), "to": tuple(kept["to"])}))
    return found


class SmtpSink:
    """An SMTP server on 127.0.0.1. `messages` are those it has accepted, in order; `attempts` counts all."""

    def __init__(self, port: int = 0, file: Path | None = None, *, fail_every: int = 0) -> None:
        self.port = port
        self.messages: list[Mail] = []
        self.attempts = 0
        self._file = file
        self._fail_every = fail_every
        self._planned: deque[_Planned] = deque()
        self._server: asyncio.Server | None = None
        self._arrived = asyncio.Condition()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; afterwards `port` is the real one."""
        if self._file is not None:
            self._finish_cut_line(self._file)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, as a mail server that is away. `start` listens again on the same port."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def behave(self, behaviour: Behaviour, *, times: int = 1, delay: float = 0.0) -> None:
        """What to do with the next `times` messages, after `delay` seconds; calls add up in order.

        `drop` closes the connection and keeps nothing; `accept_then_drop` keeps the message and closes without an
        answer, so that its sender cannot know.
        """
        self._planned.append(_Planned(behaviour, delay, times))

    def found(self, *, to: str | None = None, subject_contains: str | None = None) -> list[Mail]:
        """Accepted messages that match."""
        return [
            mail
            for mail in self.messages
            if (to is None or to in mail.to or to in mail.recipients)
            and (subject_contains is None or subject_contains in mail.subject)
        ]

    async def expect(
        self, *, to: str | None = None, subject_contains: str | None = None, timeout: float = 20.0
    ) -> Mail:
        """The first accepted message that matches, waiting for it.

        Raises:
            AssertionError: none came within `timeout` seconds; lists what came instead.
        """
        async with self._arrived:
            try:
                await asyncio.wait_for(
                    self._arrived.wait_for(lambda: self.found(to=to, subject_contains=subject_contains)), timeout
                )
            except TimeoutError:
                came = [(mail.to, mail.subject) for mail in self.messages]
                raise AssertionError(
                    f"no mail to {to!r} with {subject_contains!r} within {timeout} s; came: {came}"
                ) from None
        return self.found(to=to, subject_contains=subject_contains)[0]

    def forget(self) -> None:
        """Empty `messages`; the file keeps its lines."""
        self.messages.clear()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Called by aiosmtpd for each message."""
        self.attempts += 1
        behaviour, delay = self._next()
        if delay:
            await asyncio.sleep(delay)
        if behaviour in ("accept", "accept_then_drop"):
            mail = parse(envelope.content, envelope.mail_from, envelope.rcpt_tos)
            if self._file is not None:
                self._keep(self._file, mail)
            async with self._arrived:
                self.messages.append(mail)
                self._arrived.notify_all()
        if behaviour in ("drop", "accept_then_drop"):
            server.transport.abort()
            return "421 4.3.2 closing"
        return ANSWERS[behaviour]

    def _protocol(self) -> SMTP:
        return SMTP(self, hostname="sink.invalid", enable_SMTPUTF8=True, loop=asyncio.get_running_loop())

    def _next(self) -> tuple[Behaviour, float]:
        if self._fail_every and self.attempts % self._fail_every == 0:
            return "451", 0.0
        if not self._planned:
            return "accept", 0.0
        planned = self._planned[0]
        planned.left -= 1
        if planned.left <= 0:
            self._planned.popleft()
        return planned.behaviour, planned.delay

    @staticmethod
    def _keep(file: Path, mail: Mail) -> None:
        with file.open("a", encoding="utf-8") as kept:
            kept.write(json.dumps(asdict(mail), ensure_ascii=False) + "\n")
            kept.flush()
            os.fsync(kept.fileno())

    @staticmethod
    def _finish_cut_line(file: Path) -> None:
        if file.exists() and not file.read_bytes().endswith(b"\n") and file.stat().st_size:
            with file.open("ab") as kept:
                kept.write(b"\n")


async def _serve(port: int, file: Path, fail_every: int) -> None:
    async with SmtpSink(port, file, fail_every=fail_every) as sink:
        print(f"listening {sink.port}", flush=True)
        await asyncio.Event().wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until killed; prints `listening <port>` when it takes messages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--fail-every", type=int, default=0, help="answer 451 to every n-th message")
    chosen = parser.parse_args(arguments)
    try:
        asyncio.run(_serve(chosen.port, chosen.file, chosen.fail_every))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
