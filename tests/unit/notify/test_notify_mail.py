"""Addresses, messages and settings: what goes into a header, and what may not."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.app import sender_of
from notify.domain.checks import check_email, check_key, check_name, is_key
from notify.senders.folder import FolderSender
from notify.senders.message import message_of
from notify.senders.port import Delivered, Mail, Rejected, Transient
from notify.settings import NotifySettings
from opsledger_runtime.errors import Invalid
from opsledger_runtime.settings import SettingsError

DESK = Address(display_name="服务台", addr_spec="desk@ops.example")
PRINTED = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs"), codec="utf-8"), min_size=1)


def mail(name: str = "李伟", subject: str = "工单", body: str = "正文") -> Mail:
    date = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
    return Mail("d1", "<d1@ops.example>", name, "li@example.com", subject, body, "zh-CN", "cause-1", date)


def sent(message: Mail) -> EmailMessage:
    raw = message_of(message, DESK).as_bytes(policy=policy.SMTP)
    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    found = message_from_bytes(raw, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


@pytest.mark.parametrize(
    "text",
    ["a@example.com", "first.last+tag@mail.example.co", "o'hara_1@xn--fiqs8s.cn", "A" * 64 + "@example.com"],
)
def test_ordinary_addresses_are_taken(text: str) -> None:
    assert check_email(text, "/email") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "@example.com",
        "a@",
        "a@b",
        "a@b.123",
        "a b@example.com",
        "a@example.com\nBcc: x@y.z",
        "a@example.com\r\nRCPT TO:<x@y.z>",
        "a@example.com, b@example.com",
        "a@example.com>",
        "<a@example.com>",
        "a@b@example.com",
        '"a b"@example.com',
        "a@[127.0.0.1]",
        "a..b@example.com",
        ".a@example.com",
        "a@-x.com",
        "a@x..com",
        "李@example.com",
        "a@例子.com",
        "a\x00@example.com",
        "A" * 65 + "@example.com",
        "a@" + "x" * 250 + ".com",
    ],
)
def test_what_is_no_plain_address_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        check_email(text, "/email")


@pytest.mark.parametrize("text", ["", "  ", "a\nb", "a\rBcc: x", "a\x00", "a\u2028b", "x" * 201])
def test_a_name_is_one_line(text: str) -> None:
    with pytest.raises(Invalid):
        check_name(text, "/name")


@pytest.mark.parametrize("text", ["", "a b", "a/b", "../x", "张三", "a\n", "x" * 65])
def test_keys_are_plain(text: str) -> None:
    assert not is_key(text)
    with pytest.raises(Invalid):
        check_key(text, "/key")


@given(PRINTED.filter(lambda text: len(text) < 250), st.text(st.characters(codec="utf-8", exclude_categories=("Cc",))))
def test_subject_and_body_arrive_unchanged(subject: str, body: str) -> None:
    found = sent(mail(subject=subject, body=body))
    assert found["Subject"] == subject
    assert found.get_content().replace("\r\n", "\n").rstrip("\n") == body.rstrip("\n")


@pytest.mark.parametrize("length", range(1, 120, 7))
def test_chinese_subjects_of_any_length_survive_folding(length: int) -> None:
    subject = ("SLA 超时：INC0000042 未在时限内解决 " * 5)[:length].strip()
    assert sent(mail(subject=subject))["Subject"] == subject


@given(PRINTED.filter(lambda text: len(text) < 200))
def test_any_name_stays_inside_its_header(name: str) -> None:
    found = sent(mail(name=name))
    (address,) = found["To"].addresses
    assert address.addr_spec == "li@example.com"
    assert found["Bcc"] is None


def test_the_headers_let_machines_recognise_the_mail() -> None:
    found = sent(mail())
    assert found["Message-ID"] == "<d1@ops.example>"
    assert found["Auto-Submitted"] == "auto-generated"
    assert found["X-Opsledger-Cause"] == "cause-1"
    assert found["From"].addresses[0].display_name == "服务台"
    assert found["Date"].datetime == mail().date
    assert "Received" not in found


def test_two_attempts_are_the_same_bytes() -> None:
    assert message_of(mail(), DESK).as_bytes() == message_of(mail(), DESK).as_bytes()


@pytest.mark.parametrize("field", ["name", "subject"])
def test_a_line_break_that_came_this_far_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=r"(?i)carriage return|newline|CR or LF"):
        message_of(mail(**{field: "a\r\nBcc: evil@example.com"}), DESK)


async def test_without_a_mail_server_a_mail_becomes_a_file_that_a_repeat_replaces(tmp_path: Path) -> None:
    sender = FolderSender(tmp_path / "mail", DESK)
    assert await sender.send(mail()) == Delivered("folder", str(tmp_path / "mail"))
    await sender.send(mail())
    (file,) = (tmp_path / "mail").iterdir()
    message = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert message["Subject"] == mail().subject


async def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file in the way")
    assert isinstance(await FolderSender(tmp_path / "mail", DESK).send(mail()), Transient)


async def test_a_mail_that_makes_no_message_is_refused_and_nothing_is_raised(tmp_path: Path) -> None:
    outcome = await FolderSender(tmp_path / "mail", DESK).send(mail(subject="a\r\nBcc: evil@example.com"))
    assert isinstance(outcome, Rejected)


def test_without_any_way_to_send_the_service_does_not_start() -> None:
    with pytest.raises(SettingsError, match="OPSLEDGER_NOTIFY_SMTP_URL"):
        sender_of(NotifySettings(), None)


def read(**environ: str) -> NotifySettings:
    return NotifySettings.read({f"OPSLEDGER_NOTIFY_{name.upper()}": value for name, value in environ.items()})


def test_settings_are_read_from_the_environment() -> None:
    found = read(
        smtp_url="smtp://u%40x:p%2Fw@mail.example:2525", sender="服务台 <desk@ops.example>", retry_seconds="0,1,2.5"
    )
    assert found.server is not None
    assert (found.server.host, found.server.port) == ("mail.example", 2525)
    assert (found.server.user, found.server.password) == ("u@x", "p/w")
    assert found.server.starttls == "always"
    assert found.from_address.domain == "ops.example"
    assert found.retry_seconds == (0.0, 1.0, 2.5)
    assert "p/w" not in repr(found) + repr(found.server)


@pytest.mark.parametrize(
    ("url", "port", "tls", "starttls"),
    [
        ("smtp://h", 25, False, "auto"),
        ("smtps://h", 465, True, "never"),
        ("smtp://u:p@h", 587, False, "always"),
        ("smtp://u:p@h?starttls=never", 587, False, "never"),
    ],
)
def test_a_mail_servers_url_has_safe_defaults(url: str, port: int, tls: bool, starttls: str) -> None:
    server = read(smtp_url=url).server
    assert server is not None
    assert (server.port, server.tls, server.starttls) == (port, tls, starttls)


def test_without_a_mail_server_there_is_none() -> None:
    assert read().server is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("smtp_url", "http://secret-word@h"),
        ("smtp_url", "smtp://h:secret-word"),
        ("smtp_url", "smtp://h?starttls=secret-word"),
        ("sender", "nobody"),
        ("sender", "A <a@example.com>\nBcc: <x@y.zz>"),
        ("time_zone", "Mars/Olympus"),
        ("retry_seconds", ""),
        ("retry_seconds", "0,-1"),
        ("retry_seconds", "soon"),
        ("claim_seconds", "5"),
        ("parallel", "0"),
    ],
)
def test_a_wrong_setting_is_named_and_no_secret_shown(name: str, value: str) -> None:
    if not value:
        assert read(**{name: value}).retry_seconds  # an empty variable is an unset one
        return
    with pytest.raises(SettingsError) as refused:
        read(**{name: value})
    assert "OPSLEDGER_NOTIFY_" in str(refused.value)
    assert "secret-word" not in str(refused.value)
