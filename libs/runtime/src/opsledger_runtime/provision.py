"""The one place that makes the stream and its consumers (D3, D7); services never declare them.

Needs a connection that may administrate JetStream. Safe to run again and again: what is there and right stays, what
drifted is set right. A consumer holds no position worth keeping, since the checkpoint row is the only truth; one whose
drift cannot be updated is therefore made anew.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import BadRequestError, NotFoundError, ServerError

from opsledger_events import subjects
from opsledger_runtime.subscriptions.consumers import consumer_config, durable
from opsledger_runtime.subscriptions.subscription import Subscription

__all__ = ["durable", "provision", "stream_config"]

DUPLICATE_WINDOW_SECONDS: Final = 120.0
"""Deduplication is a convenience (D2); its index lives in the server's memory."""


def stream_config(replicas: int = 1) -> StreamConfig:
    """The stream of every event: on disk, without limits."""
    return StreamConfig(
        name=subjects.STREAM,
        description="Every event of every context, in the order its context gave it",
        subjects=[subjects.ALL_EVENTS],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        num_replicas=replicas,
        max_age=0,
        max_bytes=-1,
        max_msgs=-1,
        max_msgs_per_subject=-1,
        max_msg_size=-1,
        duplicate_window=DUPLICATE_WINDOW_SECONDS,
        allow_direct=True,
        allow_atomic=True,
    )


async def provision(
    js: JetStreamContext, consumers: Mapping[str, Sequence[Subscription]], *, replicas: int = 1
) -> None:
    """Make or set right the stream and, by owning context, the two consumers of each subscription.

    Raises:
        nats.js.errors.APIError: the server refuses, for example for want of rights or replicas.
    """
    wanted = stream_config(replicas)
    try:
        found = (await js.stream_info(subjects.STREAM)).config
        if any(getattr(found, field) != getattr(wanted, field) for field in _COMPARED):
            await js.update_stream(wanted)
            structlog.get_logger().warning("stream_config_set_right", stream=subjects.STREAM)
    except NotFoundError:
        await js.add_stream(wanted)
        structlog.get_logger().info("stream_created", stream=subjects.STREAM)
    for context, subscriptions in consumers.items():
        for subscription in subscriptions:
            await _consumer(js, consumer_config(context, subscription, "a"))
            await _consumer(js, consumer_config(context, subscription, "b"))


_COMPARED: Final = (
    "description",
    "subjects",
    "num_replicas",
    "max_age",
    "max_bytes",
    "max_msgs",
    "max_msgs_per_subject",
    "max_msg_size",
    "duplicate_window",
    "allow_direct",
    "allow_atomic",
)


async def _consumer(js: JetStreamContext, config: ConsumerConfig) -> None:
    try:
        await js.add_consumer(subjects.STREAM, config)  # creates, or updates what may be updated
    except (BadRequestError, ServerError) as error:
        if "can not be updated" not in str(error):
            raise
        assert config.durable_name is not None  # noqa: S101 - set above
        structlog.get_logger().warning("consumer_made_anew", consumer=config.durable_name, error=str(error))
        await js.delete_consumer(subjects.STREAM, config.durable_name)
        await js.add_consumer(subjects.STREAM, config)
