"""The sink that mail tests rest on."""

import asyncio
import os
import signal
import sys
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest

from opsledger_runtime.testing.smtp_sink import Mail, SmtpSink, read_file


def letter(subject: str = "数据库告警 P1", body: str = "请立即处理。\n— 值班\n") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "opsledger@example.invalid"
    message["To"] = "王伟 <wang@example.invalid>"
    message["Subject"] = subject
    message["Message-ID"] = "<delivery-1@opsledger.invalid>"
    message.set_content(body)
    return message


async def send(port: int, message: EmailMessage) -> None:
    await aiosmtplib.send(message, hostname="127.0.0.1", port=port, timeout=5)


async def test_chinese_subject_and_body_arrive_decoded() -> None:
    async with SmtpSink() as sink:
        await send(sink.port, letter())
        mail = await sink.expect(to="wang@example.invalid", subject_contains="告警")
    assert (mail.subject, mail.body, mail.message_id) == (
        "数据库告警 P1",
        "请立即处理。\n— 值班\n",
        "<delivery-1@opsledger.invalid>",
    )


async def test_expect_waits_for_a_mail_that_is_still_on_its_way() -> None:
    async with SmtpSink() as sink:
        sink.behave("accept", delay=0.2)
        sending = asyncio.create_task(send(sink.port, letter()))
        assert (await sink.expect(to="wang@example.invalid", timeout=5)).subject == "数据库告警 P1"
        await sending


async def test_expect_names_what_came_instead() -> None:
    async with SmtpSink() as sink:
        await send(sink.port, letter("another"))
        with pytest.raises(AssertionError, match="another"):
            await sink.expect(to="nobody@example.invalid", timeout=0.05)


@pytest.mark.parametrize(("behaviour", "code"), [("451", 451), ("550", 550)])
async def test_refusals_are_answered_as_told_and_keep_nothing(behaviour: str, code: int) -> None:
    async with SmtpSink() as sink:
        sink.behave(behaviour, times=2)  # type: ignore[arg-type]
        for _ in range(2):
            with pytest.raises(aiosmtplib.SMTPResponseException) as refused:
                await send(sink.port, letter())
            assert refused.value.code == code
        assert sink.messages == []
        await send(sink.port, letter())
        assert (len(sink.messages), sink.attempts) == (1, 3)


@pytest.mark.parametrize(("behaviour", "kept"), [("drop", 0), ("accept_then_drop", 1)])
async def test_a_dropped_connection_leaves_the_sender_without_an_answer(behaviour: str, kept: int) -> None:
    async with SmtpSink() as sink:
        sink.behave(behaviour)  # type: ignore[arg-type]
        with pytest.raises(aiosmtplib.SMTPServerDisconnected):
            await send(sink.port, letter())
        assert len(sink.messages) == kept


async def test_a_stopped_sink_refuses_connections_and_comes_back_on_its_port() -> None:
    async with SmtpSink() as sink:
        await sink.stop()
        with pytest.raises(aiosmtplib.SMTPConnectError):
            await send(sink.port, letter())
        await sink.start()
        await send(sink.port, letter())
        assert len(sink.messages) == 1


async def test_a_killed_sink_process_has_kept_every_message_it_answered(tmp_path: Path) -> None:
    file = tmp_path / "mails.jsonl"
    file.write_text('{"message_id": "cut o')  # an earlier life was killed while writing
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "opsledger_runtime.testing.smtp_sink", "--file", str(file), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        port = int((await asyncio.wait_for(process.stdout.readline(), 20)).split()[1])
        for number in range(3):
            await send(port, letter(f"message {number}"))
    finally:
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    mails = read_file(file)
    assert [mail.subject for mail in mails] == ["message 0", "message 1", "message 2"]
    assert isinstance(mails[0], Mail)
    assert mails[0].to == ("wang@example.invalid",)
