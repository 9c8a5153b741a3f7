"""What is told of a mail server's answer: code and status to everybody, its own words to the log of attempts alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.headerregistry import Address
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from notify.senders.port import Delivered, Mail, Outcome, Rejected, Throttled, Transient, Unknown
from notify.senders.smtp import SmtpSender
from notify.settings import SmtpServer

DESK = Address(display_name="Desk", addr_spec="desk@ops.example")
WHO = "li.wei@example.com"


class Talkative:
    """A server that names the recipient in each answer, as real ones do."""

    def __init__(self, stage: str, answer: str) -> None:
        self._stage = stage
        self._answer = answer

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self._answer if self._stage == "mail" else "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self._answer if self._stage == "rcpt" else "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self._answer == "drop":
            server.transport.abort()
        return self._answer if self._stage == "data" else "250 OK"


@asynccontextmanager
async def served(stage: str, answer: str) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Talkative(stage, answer), loop=loop), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def mail(**changes: Any) -> Mail:
    given = {"recipient_name": "李伟", "recipient_email": WHO, "subject": "工单", "body": "正文"}
    date = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
    return Mail("d1", "<d1@ops.example>", language="zh-CN", cause="c", date=date, **{**given, **changes})


async def sent(port: int, message: Mail) -> Outcome:
    return await SmtpSender(SmtpServer("127.0.0.1", port, False, "never"), DESK, 10.0).send(message)


@pytest.mark.parametrize(
    ("stage", "answer", "kind", "reason"),
    [
        ("rcpt", f"550 5.1.1 <{WHO}>: unknown", Rejected, "550 5.1.1: the mail server refuses the recipient"),
        ("rcpt", f"550 <{WHO}> rejected", Rejected, "550: the mail server refuses the recipient"),
        ("rcpt", f"450 4.2.1 <{WHO}> busy", Throttled, "450 4.2.1: the mail server asks to wait"),
        ("rcpt", f"451 4.3.0 <{WHO}> later", Transient, "451 4.3.0: the mail server refuses the recipient for now"),
        ("data", f"554 5.7.1 spam for {WHO}", Rejected, "554 5.7.1: the mail server refuses the message"),
        ("data", f"451 5.1.1 odd {WHO}", Transient, "451: the mail server refuses the message for now"),
        ("data", f"554 5.{WHO}", Rejected, "554: the mail server refuses the message"),
        ("mail", f"550 5.7.1 not for {WHO}", Transient, "550 5.7.1: the mail server does not let us send"),
    ],
)
async def test_a_servers_words_stay_in_the_detail(stage: str, answer: str, kind: type[Outcome], reason: str) -> None:
    async with served(stage, answer) as port:
        outcome = await sent(port, mail())
    assert isinstance(outcome, kind)
    assert not isinstance(outcome, Delivered)
    assert outcome.reason == reason
    assert WHO in outcome.detail


async def test_a_lost_connection_is_told_without_a_name() -> None:
    async with served("data", "drop") as port:
        lost = await sent(port, mail())
    assert isinstance(lost, Unknown)
    assert lost.reason == "the connection broke while the mail was handed over"
    away = await sent(port, mail())
    assert isinstance(away, Transient)
    assert away.reason == "the mail server cannot be reached"


@pytest.mark.parametrize("changes", [{"subject": f"a\r\nBcc: {WHO}"}, {"recipient_email": f"{WHO}\n"}])
async def test_what_makes_no_message_is_refused_without_a_name(changes: dict[str, str]) -> None:
    outcome = await sent(1, mail(**changes))
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "no valid message can be made of it"
