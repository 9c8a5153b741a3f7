"""Where there is no mail server yet: one `.eml` file per mail, which any mail program opens.

For trying the platform; `app` refuses it in production, where a mail that nobody's server took is not delivered.
"""

import asyncio
from email.headerregistry import Address
from pathlib import Path

from notify.senders.message import content_of
from notify.senders.port import Delivered, Mail, Outcome, Rejected, Transient

PROVIDER = "folder"


class FolderSender:
    """Writes each mail under its delivery's id, so that a repeat replaces its first copy."""

    def __init__(self, folder: Path, sender: Address) -> None:
        self._folder = folder
        self._sender = sender

    async def send(self, mail: Mail) -> Outcome:
        """Write the file in one step; a folder that cannot be written may be writable later."""
        content = content_of(mail, self._sender)
        if isinstance(content, Rejected):
            return content
        try:
            await asyncio.to_thread(self._write, mail.delivery, content)
        except OSError as error:
            return Transient("the mail folder cannot be written", str(error))
        return Delivered(PROVIDER, str(self._folder))

    def _write(self, delivery: str, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch = self._folder / f"{delivery}.new"
        scratch.write_bytes(content)
        scratch.replace(self._folder / f"{delivery}.eml")
