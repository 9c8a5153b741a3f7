"""The team, wordings and rules that a new installation begins with. What somebody has changed since is left alone.

The service desk is told of each new incident, of deadlines that nobody else is told of, and of those of vendors. Its
team begins empty: until somebody enters its members, notices that reach nobody else are listed as unroutable.
"""

from dataclasses import dataclass
from typing import Final, Literal

from notify.domain import rule, team, wording
from notify.domain.rule import RULE, DefineRule
from notify.domain.team import TEAM, FormTeam
from notify.domain.wording import WORDING, PublishWording
from opsledger_runtime import ids
from opsledger_runtime.store import EventStore, Metadata, Transaction

_ACTOR: Final = "service:notify"

DESK: Final = "service-desk"
_DESK_NAME: Final = "服务台 Service desk"
_DESK_MEMBERS: Final = f"team:{DESK}"

_FOOT_ZH: Final = """
时间按 {{ time_zone }} 显示。本邮件由系统自动发送，请勿直接回复。
"""
_FOOT_EN: Final = """
Times are shown in {{ time_zone }}. This mail was sent automatically; please do not reply to it.
"""
_ABOUT_ZH: Final = """
标题：{{ title }}
{% if priority %}
优先级：{{ priority }}
{% endif %}
{% if service %}
服务：{{ service }}
{% endif %}
处理组：{{ team_name or "未指派" }}
处理人：{{ assignee_name or "未指派" }}
"""
_ABOUT_EN: Final = """
Title: {{ title }}
{% if priority %}
Priority: {{ priority }}
{% endif %}
{% if service %}
Service: {{ service }}
{% endif %}
Team: {{ team_name or "not assigned" }}
Assignee: {{ assignee_name or "not assigned" }}
"""
_GREETING_ZH: Final = "{{ recipient_name }}，您好：\n\n"
_GREETING_EN: Final = "Dear {{ recipient_name }},\n\n"
_WHOSE_ZH: Final = """\
{% if kind == "ola" %}

这是{{ party_name }}的内部目标（OLA），不是对客户的承诺。
{% elif kind == "uc" %}

这是供应商团队{{ party_name }}按支持合同（UC）承诺的目标，由服务台跟进。
{% endif %}
"""
_WHOSE_EN: Final = """\
{% if kind == "ola" %}

This is an internal target (OLA) of {{ party_name }}, not a promise to the customer.
{% elif kind == "uc" %}

This is what the vendor's team {{ party_name }} has promised by contract (UC); the service desk follows it up.
{% endif %}
"""


@dataclass(frozen=True, slots=True)
class Seed:
    """One rule with its wording in both languages, each as (subject, opening of the body)."""

    key: str
    event_type: str
    recipients: tuple[str, ...]
    otherwise: tuple[str, ...]
    chinese: tuple[str, str]
    english: tuple[str, str]

    def texts(self) -> list[tuple[Literal["zh-CN", "en"], str, str]]:
        """Language, subject and whole body."""
        return [
            ("zh-CN", self.chinese[0], _GREETING_ZH + self.chinese[1] + _ABOUT_ZH + _FOOT_ZH),
            ("en", self.english[0], _GREETING_EN + self.english[1] + _ABOUT_EN + _FOOT_EN),
        ]


SEEDS: Final = (
    Seed(
        "incident-opened",
        "incident.IncidentOpened.v1",
        (_DESK_MEMBERS,),
        (),
        (
            "新事件单 {{ number }}：{{ title }}",
            "事件单 {{ number }} 已于 {{ happened_at }} 登记，请及时受理。\n",
        ),
        (
            "New incident {{ number }}: {{ title }}",
            "Incident {{ number }} was opened at {{ happened_at }}. Please take care of it.\n",
        ),
    ),
    Seed(
        "sla-warning",
        "sla.SLAWarningReached.v1",
        ("team", "assignee"),
        (_DESK_MEMBERS,),
        (
            "{{ kind | upper }} 预警：{{ number }} 的{{ metric_name }}时限已用 {{ percent }}%",
            "事件单 {{ number }} 的{{ metric_name }}时限已用去 {{ percent }}%，到期时间为 {{ due_at }}。请尽快处理。\n"
            f"{_WHOSE_ZH}",
        ),
        (
            "{{ kind | upper }} warning: {{ number }} has used {{ percent }}% of its time for {{ metric_name }}",
            "{{ percent }}% of the time for {{ metric_name }} of incident {{ number }} has passed. "
            f"It is due at {{{{ due_at }}}}.\n{_WHOSE_EN}",
        ),
    ),
    Seed(
        "sla-breached",
        "sla.SLABreached.v1",
        ("team", "assignee"),
        (_DESK_MEMBERS,),
        (
            "{{ kind | upper }} 超时{{ '（待确认）' if provisional else '' }}："
            "{{ number }} 的{{ metric_name }}时限已过",
            "事件单 {{ number }} 的{{ metric_name }}时限已于 {{ due_at }} 到期，未能按时完成。\n"
            "{% if provisional %}\n"
            "此超时待确认：系统暂未收到全部消息。若补报的记录表明在该时间并未超时，将另行通知撤销。\n"
            f"{{% endif %}}\n{_WHOSE_ZH}",
        ),
        (
            "{{ kind | upper }} breached{{ ' (provisional)' if provisional else '' }}: "
            "{{ number }} missed its time for {{ metric_name }}",
            "Incident {{ number }} did not meet its time for {{ metric_name }}, which ended at {{ due_at }}.\n"
            "{% if provisional %}\n"
            "This is provisional: some messages have not arrived yet. "
            "If late records show that it was not overdue at that time, this notice will be withdrawn "
            "and you will be told.\n"
            f"{{% endif %}}\n{_WHOSE_EN}",
        ),
    ),
    Seed(
        "sla-breach-withdrawn",
        "sla.SLABreachWithdrawn.v1",
        ("team", "assignee"),
        (_DESK_MEMBERS,),
        (
            "{{ kind | upper }} 超时通知已撤销：{{ number }} 的{{ metric_name }}时限",
            "事件单 {{ number }} 的{{ metric_name }}时限（到期时间 {{ due_at }}）：\n"
            "此前的超时通知已撤销：按目前的记录以及所适用的协议和日历，在该时间并未超时。当前到期时间以系统显示为准。\n"
            f"{_WHOSE_ZH}",
        ),
        (
            "{{ kind | upper }} breach notice withdrawn: time of {{ number }} for {{ metric_name }}",
            "The earlier notice that incident {{ number }} had missed its time for {{ metric_name }} "
            "(due at {{ due_at }}) is withdrawn: by what is recorded now, and by the agreement and calendar that apply "
            f"now, it was not overdue at that time. The system shows when it is due now.\n{_WHOSE_EN}",
        ),
    ),
    Seed(
        "incident-assigned",
        "incident.IncidentAssigned.v1",
        ("team",),
        (),
        (
            "事件单 {{ number or '（编号未知）' }} 已指派给 {{ team_name }}",
            "事件单 {{ number or '（编号未知）' }} 已于 {{ happened_at }} 指派给您所在的处理组，请及时受理。\n",
        ),
        (
            "{{ number or 'An incident' }} is assigned to {{ team_name }}",
            "Incident {{ number or '(number not known)' }} was assigned to your team at {{ happened_at }}.\n",
        ),
    ),
    Seed(
        "incident-resolved",
        "incident.IncidentResolved.v1",
        ("requester",),
        (),
        (
            "您报告的事件单 {{ number or '' }} 已解决",
            "您报告的事件单 {{ number or '' }} 已于 {{ happened_at }} 解决。\n\n"
            "处理结果：{{ resolution }}\n\n若问题仍然存在，请联系服务台，我们会重新处理。\n",
        ),
        (
            "Your incident {{ number or '' }} is resolved",
            "The incident {{ number or '' }} that you reported was resolved at {{ happened_at }}.\n\n"
            "What was done: {{ resolution }}\n\n"
            "If the problem is still there, please tell the service desk and we will take it up again.\n",
        ),
    ),
    Seed(
        "promise-reminder",
        "sla.PromiseReminderReached.v1",
        ("assignee",),
        ("team",),
        (
            "承诺即将到期：{{ number }} 应在 {{ due_at }} 前兑现",
            "对用户的承诺即将到期：\n\n{{ text or '（未记录原话）' }}\n\n"
            "到期时间：{{ due_at }}。请按时兑现，或与用户另约时间。\n",
        ),
        (
            "A promise is due soon: {{ number }} by {{ due_at }}",
            "What was promised to the requester is due soon:\n\n{{ text or '(the words were not recorded)' }}\n\n"
            "It is due at {{ due_at }}. Please keep it, or agree on another time.\n",
        ),
    ),
    Seed(
        "promise-broken",
        "sla.PromiseBroken.v1",
        ("assignee", "team"),
        (_DESK_MEMBERS,),
        (
            "失约{{ '（待确认）' if provisional else '' }}：{{ number }} 的承诺到期未兑现",
            "对用户的承诺已到期，仍未兑现：\n\n{{ text or '（未记录原话）' }}\n\n"
            "到期时间：{{ due_at }}。请尽快兑现并向用户说明。\n"
            "{% if provisional %}\n此失约待确认：系统暂未收到全部消息。\n{% endif %}\n",
        ),
        (
            "Promise broken{{ ' (provisional)' if provisional else '' }}: {{ number }}",
            "What was promised to the requester was not kept in time:\n\n"
            "{{ text or '(the words were not recorded)' }}\n\n"
            "It was due at {{ due_at }}. Please keep it now and explain it to the requester.\n"
            "{% if provisional %}\nThis is provisional: some messages have not arrived yet.\n{% endif %}\n",
        ),
    ),
)


async def plant(store: EventStore) -> None:
    """Add what was never there. Safe to run again, and by several replicas at once."""

    async def work(transaction: Transaction) -> None:
        await _desk(transaction)
        for seed in SEEDS:
            for language, subject, body in seed.texts():
                await _wording(transaction, seed, language, subject, body)
            await _rule(transaction, seed)

    await store.run(work)


async def _desk(transaction: Transaction) -> None:
    aggregate = team.aggregate(DESK)
    if not (await transaction.load(TEAM, aggregate)).version:
        await transaction.execute(TEAM, aggregate, FormTeam(DESK, _DESK_NAME, ()), _metadata(aggregate))


async def _wording(
    transaction: Transaction, seed: Seed, language: Literal["zh-CN", "en"], subject: str, body: str
) -> None:
    aggregate = wording.aggregate(seed.key, language)
    if (await transaction.load(WORDING, aggregate)).version:
        return
    command = PublishWording(seed.key, language, subject, body, frozenset({seed.event_type}))
    await transaction.execute(WORDING, aggregate, command, _metadata(aggregate))


async def _rule(transaction: Transaction, seed: Seed) -> None:
    aggregate = rule.aggregate(seed.key)
    if (await transaction.load(RULE, aggregate)).version:
        return
    command = DefineRule(seed.event_type, seed.recipients, seed.key, True, seed.otherwise)
    await transaction.execute(RULE, aggregate, command, _metadata(aggregate))


def _metadata(aggregate: str) -> Metadata:
    return Metadata(command_id=ids.derived_id("notify seed", aggregate), actor=_ACTOR)
