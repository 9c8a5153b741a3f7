"""What the notify service announces. Recipients are opaque contact ids; addresses stay in notify."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from opsledger_events.contract import Event, Personal

Language = Literal["zh-CN", "en"]
Channel = Literal["email"]


class ContactRegistered(Event):
    """A contact was registered or replaced; its name and address stay in notify's own tables."""

    type_name: ClassVar[str] = "notify.ContactRegistered.v1"
    language: Language
    active: bool = True
    revision: int
    example: ClassVar[dict[str, Any]] = {"language": "zh-CN", "active": True, "revision": 1}


class TeamFormed(Event):
    """A team was formed or its members changed. `key` is the name other services use for it."""

    type_name: ClassVar[str] = "notify.TeamFormed.v1"
    key: str
    name: str
    members: list[str]
    revision: int
    example: ClassVar[dict[str, Any]] = {"key": "network", "name": "网络组", "members": ["person-3"], "revision": 1}


class RuleDefined(Event):
    """A rule says which event reaches whom, with which wording.

    `otherwise` are told where `recipients` led to nobody. `language` is that of the mails; absent: each reader's own.
    """

    type_name: ClassVar[str] = "notify.RuleDefined.v1"
    event_type: str
    recipients: list[str]
    template: str
    active: bool = True
    revision: int
    otherwise: list[str] = Field(default=[])
    language: Language | None = None
    example: ClassVar[dict[str, Any]] = {
        "event_type": "sla.SLABreached.v1",
        "recipients": ["team", "assignee"],
        "template": "sla-breached",
        "active": True,
        "revision": 1,
    }


class WordingPublished(Event):
    """A new version of a template's wording in one language; earlier versions stay readable."""

    type_name: ClassVar[str] = "notify.WordingPublished.v1"
    template: str
    language: Language
    version: int
    subject: str
    body: str
    example: ClassVar[dict[str, Any]] = {
        "template": "sla-breached",
        "language": "zh-CN",
        "version": 1,
        "subject": "SLA 超时：{{ number }}",
        "body": "{{ title }} 已超过承诺时间。",
    }


class DeliveryEvent(Event):
    """What every event of a delivery says of it. `about` is the aggregate that the notice concerns."""

    partition_by: ClassVar[str | None] = "about"
    about: str
    about_number: str | None = None
    cause: str
    cause_type: str
    rule: str
    contact: str
    team: str | None = None
    channel: Channel
    language: Language


_DELIVERY: dict[str, Any] = {
    "about": "0192f0c4-7d1a-7c3e-9b5e-6a0f3d2c1b4a",
    "about_number": "INC0000042",
    "cause": "0192f0c4-0000-7000-8000-00000000e4e7",
    "cause_type": "sla.SLABreached.v1",
    "rule": "sla-breached",
    "contact": "person-3",
    "team": "network",
    "channel": "email",
    "language": "zh-CN",
}


class NotificationRequested(DeliveryEvent):
    """A rule matched: this contact is to be told. `values` fills the wording and holds what it uses, nothing else."""

    type_name: ClassVar[str] = "notify.NotificationRequested.v1"
    template: str
    wording_version: int
    values: Annotated[dict[str, Any], Personal()]
    example: ClassVar[dict[str, Any]] = {
        **_DELIVERY,
        "template": "sla-breached",
        "wording_version": 1,
        "values": {"number": "INC0000042", "title": "核心交换机端口告警"},
    }


class NotificationDelivered(DeliveryEvent):
    """The provider took it over."""

    type_name: ClassVar[str] = "notify.NotificationDelivered.v1"
    attempts: int
    message_id: str
    provider: str | None = None
    example: ClassVar[dict[str, Any]] = {
        **_DELIVERY,
        "attempts": 1,
        "message_id": "<0192@opsledger.local>",
        "provider": "smtp",
    }


class NotificationFailed(DeliveryEvent):
    """Given up: refused for good, or no attempt within the limit succeeded.

    `reason` is a fixed phrase with the provider's code and status, never the provider's own words: they tend to repeat
    the address.
    """

    type_name: ClassVar[str] = "notify.NotificationFailed.v1"
    attempts: int
    reason: str
    example: ClassVar[dict[str, Any]] = {**_DELIVERY, "attempts": 6, "reason": "550 no such mailbox"}


class NotificationUnroutable(Event):
    """A rule matched, but nobody could be told; `reason` says why, for the people who keep rules and contacts."""

    type_name: ClassVar[str] = "notify.NotificationUnroutable.v1"
    partition_by: ClassVar[str | None] = "about"
    about: str
    about_number: str | None = None
    cause: str
    cause_type: str
    rule: str
    reason: str
    example: ClassVar[dict[str, Any]] = {
        "about": "0192f0c4-7d1a-7c3e-9b5e-6a0f3d2c1b4a",
        "about_number": "INC0000042",
        "cause": "0192f0c4-0000-7000-8000-00000000e4e7",
        "cause_type": "sla.SLABreached.v1",
        "rule": "sla-breached",
        "reason": "team network is unknown; nobody is assigned",
    }
