"""From a mail to RFC 5322 bytes. Every header value is built by the email package, which refuses line breaks."""

from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from notify.senders.port import Mail, Rejected


def message_of(mail: Mail, sender: Address) -> EmailMessage:
    """A plain-text message in ASCII bytes: base64 where the body is not ASCII, encoded words in headers.

    `Auto-Submitted` (RFC 3834) keeps out-of-office replies away.

    Raises:
        ValueError: a header value holds a line break; the callers' checks make that impossible.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = Address(display_name=mail.recipient_name, addr_spec=mail.recipient_email)
    message["Subject"] = mail.subject
    message["Date"] = mail.date
    message["Message-ID"] = mail.message_id
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = mail.language
    message["X-Opsledger-Cause"] = mail.cause
    message["X-Opsledger-Delivery"] = mail.delivery
    message.set_content(mail.body, charset="utf-8", cte="quoted-printable" if mail.body.isascii() else "base64")
    return message


def content_of(mail: Mail, sender: Address) -> bytes | Rejected:
    """The message's bytes; Rejected where no attempt could ever make any."""
    try:
        return message_of(mail, sender).as_bytes(policy=SMTP)
    except (ValueError, LookupError, MessageError) as error:
        return Rejected("no valid message can be made of it", repr(error)[:500])
