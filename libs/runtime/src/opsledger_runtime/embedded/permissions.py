"""Who may do what on the bus (D15): each service publishes its own context and drives its own consumers, no more.

Wildcards of NATS match whole tokens only, so every durable is listed by name.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from opsledger_events.subjects import ALL_RELAYS, STREAM, context_subjects, relay_subject

ADMIN: Final = "admin"
"""Makes streams and consumers; no service uses it."""


def may_publish(context: str, durables: Sequence[str]) -> list[str]:
    """Subjects that a service's user may publish to.

    Acknowledgements come in two forms: `$JS.ACK.<stream>.<consumer>…`, and since 2.14 one that begins with the domain
    and the account.
    """
    return [
        context_subjects(context),
        relay_subject(context),
        "$JS.API.INFO",
        f"$JS.API.STREAM.INFO.{STREAM}",
        f"$JS.API.STREAM.MSG.GET.{STREAM}",
        f"$JS.API.DIRECT.GET.{STREAM}",
        f"$JS.API.DIRECT.GET.{STREAM}.>",
        *(
            subject
            for durable in durables
            for subject in (
                f"$JS.API.CONSUMER.INFO.{STREAM}.{durable}",
                f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{durable}",
                f"$JS.API.CONSUMER.RESET.{STREAM}.{durable}",
                f"$JS.ACK.{STREAM}.{durable}.>",
                f"$JS.ACK.*.*.{STREAM}.{durable}.>",
            )
        ),
    ]


def may_subscribe(context: str) -> list[str]:
    """Subjects that a service's user may subscribe to: its own inbox and the relays' announcements."""
    return [f"_INBOX_{context}.>", ALL_RELAYS]


def authorization(passwords: Mapping[str, str], durables: Mapping[str, Sequence[str]]) -> list[str]:
    """Lines of the server's configuration: one user per context and the admin.

    Names and passwords are of our own making and hold nothing that needs escaping.
    """
    lines = ["authorization {", "  timeout: 5", "  users = ["]
    for user, password in passwords.items():
        if user == ADMIN:
            lines.append(f'    {{user: "{user}", password: "{password}"}}')
            continue
        publish = ", ".join(f'"{subject}"' for subject in may_publish(user, durables.get(user, ())))
        subscribe = ", ".join(f'"{subject}"' for subject in may_subscribe(user))
        lines.append(
            f'    {{user: "{user}", password: "{password}", '
            f"permissions: {{publish: {{allow: [{publish}]}}, subscribe: {{allow: [{subscribe}]}}}}}}"
        )
    return [*lines, "  ]", "}"]
