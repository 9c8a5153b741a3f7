"""What a subscription's consumer is called and how it is configured. Pure; made by `provision` alone."""

from datetime import datetime
from typing import Final, Literal

from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StreamInfo

from opsledger_events import subjects
from opsledger_runtime.subscriptions.subscription import Subscription

PENDING_BATCHES: Final = 4
"""Twice the window that a subscriber asks for (two batches), so that the consumer never holds it back."""

ACK_WAIT_SECONDS: Final = 30.0

Side = Literal["a", "b"]


def durable(context: str, subscription_name: str, side: Side) -> str:
    """A consumer's name. Each subscription has two: one is live, the other fills a rebuild beside it (D9)."""
    return f"{context}_{subscription_name}_{side}"


def consumer_config(context: str, subscription: Subscription, side: Side) -> ConsumerConfig:
    """A subscription's consumer: pulled in batches, in order, one acknowledgement for all before it."""
    name = durable(context, subscription.name, side)
    return ConsumerConfig(
        name=name,
        durable_name=name,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.ALL,
        ack_wait=ACK_WAIT_SECONDS,
        max_deliver=-1,
        max_ack_pending=PENDING_BATCHES * subscription.batch,
        filter_subjects=[subjects.context_subjects(found) for found in subscription.contexts],
    )


def stream_identity(info: StreamInfo) -> str:
    """What tells a stream from another that was made later under the same name."""
    created = info.created
    return f"{info.config.name} {created.isoformat() if isinstance(created, datetime) else created}"
