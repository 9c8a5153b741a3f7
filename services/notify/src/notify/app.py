"""Composition root of notify: everything it does, and the only place that names concrete adapters."""

import os
from pathlib import Path

from notify.api import routes
from notify.dispatch.dispatcher import Dispatcher
from notify.permissions import PERMISSIONS
from notify.projections.deliveries import DELIVERIES
from notify.projections.directory import DIRECTORY
from notify.projections.rulebook import RULEBOOK
from notify.reactors import NOTICES
from notify.seeds import plant
from notify.senders.folder import FolderSender
from notify.senders.port import Sender
from notify.senders.smtp import SmtpSender
from notify.settings import NotifySettings
from opsledger_runtime.running import Running
from opsledger_runtime.service import Service
from opsledger_runtime.settings import SettingsError


def sender_of(settings: NotifySettings, data_dir: Path | None) -> Sender:
    """SMTP where a mail server is configured, else a folder beside the embedded servers' data.

    Raises:
        SettingsError: there is neither.
    """
    if settings.server is not None:
        return SmtpSender(settings.server, settings.from_address, settings.smtp_timeout)
    if data_dir is not None:
        return FolderSender(data_dir / "mail", settings.from_address)
    raise SettingsError(
        "The notify service cannot start: it has no mail server. "
        "Set OPSLEDGER_NOTIFY_SMTP_URL, for example smtp://user:password@mail.example.com:587"
    )


def dispatcher(running: Running) -> Dispatcher:
    """The worker that sends, with settings from the environment as it is when the service starts."""
    settings = NotifySettings.read(os.environ)
    own = running.settings
    folder = own.data_dir if own.environment != "production" else None
    return Dispatcher(running.store, sender_of(settings, folder), settings)


async def seed(running: Running) -> None:
    """Wordings and rules of a new installation."""
    await plant(running.store)


SERVICE = Service(
    context="notify",
    title="Notify",
    routes=routes,
    permissions=PERMISSIONS,
    inline=(DIRECTORY, RULEBOOK, DELIVERIES),
    subscriptions=(NOTICES,),
    workers=(dispatcher,),
    seed=seed,
)
