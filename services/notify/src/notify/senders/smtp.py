"""SMTP (RFC 5321): hands one mail over per connection and tells apart what was refused, lost and left open.

A refusal of the recipient or the message is final (5yz) or not (4yz). Trouble before that, with the connection, TLS,
the login or the sender's address, is about the installation, not the mail: it is tried again while operators repair it.
Once the message is on its way, a broken connection leaves the outcome unknown.

A server's own words repeat the recipient's address as often as not: of them only code and enhanced status (RFC 3463)
enter a reason.
"""

import asyncio
import re
from email.headerregistry import Address
from typing import Final

import aiosmtplib

from notify.senders.message import content_of
from notify.senders.port import Delivered, Mail, Outcome, Rejected, Throttled, Transient, Unknown
from notify.settings import SmtpServer

PROVIDER: Final = "smtp"
_BUSY: Final = frozenset({421, 450, 452})
"""Replies that ask for patience (RFC 5321 4.2.3): too many connections, mailbox busy, out of storage."""

_DETAIL: Final = 500
_STATUS: Final = re.compile(r"([245])\.\d{1,3}\.\d{1,3}(?=\s|$)")


class SmtpSender:
    """One mail server. `timeout` in seconds covers a whole hand-over."""

    def __init__(self, server: SmtpServer, sender: Address, timeout: float) -> None:
        self._server = server
        self._sender = sender
        self._timeout = timeout

    async def send(self, mail: Mail) -> Outcome:
        """Hand it over."""
        content = content_of(mail, self._sender)
        if isinstance(content, Rejected):
            return content
        client = self._client()
        try:
            return await self._hand_over(client, mail, content)
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.tls,
            start_tls={"auto": None, "always": True, "never": False}[server.starttls],
            local_hostname=self._sender.domain,
            timeout=self._timeout,
        )

    async def _hand_over(self, client: aiosmtplib.SMTP, mail: Mail, content: bytes) -> Outcome:
        on_its_way = False
        try:
            async with asyncio.timeout(self._timeout):
                try:
                    await client.connect()
                    await client.mail(self._sender.addr_spec)
                except aiosmtplib.SMTPResponseException as error:
                    return Transient(f"{_code(error)}: the mail server does not let us send", _told(error))
                await client.rcpt(mail.recipient_email)
                on_its_way = True
                answer = await client.data(content)
            await self._leave(client)
            return Delivered(PROVIDER, f"{answer.code} {answer.message}"[:_DETAIL])
        except aiosmtplib.SMTPResponseException as error:
            return _refused(error, "message" if on_its_way else "recipient")
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            detail = f"{type(error).__name__}: {error}"[:_DETAIL]
            if on_its_way:
                return Unknown("the connection broke while the mail was handed over", detail)
            return Transient("the mail server cannot be reached", detail)

    async def _leave(self, client: aiosmtplib.SMTP) -> None:
        try:
            await client.quit(timeout=2.0)
        except (aiosmtplib.SMTPException, OSError):
            return  # the mail is taken over; how the connection ends changes nothing


def _told(error: aiosmtplib.SMTPResponseException) -> str:
    return f"{error.code} {error.message}"[:_DETAIL]


def _code(error: aiosmtplib.SMTPResponseException) -> str:
    status = _STATUS.match(error.message)
    fits = status is not None and status.group(1) == str(error.code)[0]
    return f"{error.code} {status.group()}" if status is not None and fits else str(error.code)


def _refused(error: aiosmtplib.SMTPResponseException, what: str) -> Outcome:
    if error.code in _BUSY:
        return Throttled(f"{_code(error)}: the mail server asks to wait", _told(error))
    if 500 <= error.code < 600:
        return Rejected(f"{_code(error)}: the mail server refuses the {what}", _told(error))
    return Transient(f"{_code(error)}: the mail server refuses the {what} for now", _told(error))
