"""Names and settings of consumers."""

from dataclasses import replace

from nats.js.api import AckPolicy, DeliverPolicy
from tests.support.bus import Tally, subscription

from opsledger_runtime.provision import durable, stream_config
from opsledger_runtime.subscriptions.consumers import consumer_config
from opsledger_runtime.subscriptions.delivery import WINDOW_BATCHES
from opsledger_runtime.subscriptions.subscription import BATCH


def test_each_subscription_has_two_durables_of_its_own() -> None:
    assert [durable("sla", "incidents", side) for side in ("a", "b")] == ["sla_incidents_a", "sla_incidents_b"]


def test_a_consumer_reads_whole_contexts_and_never_holds_back_the_window() -> None:
    config = consumer_config("sla", subscription(Tally(), contexts=("incident", "notify")), "a")
    assert config.filter_subjects == ["opsledger.evt.incident.>", "opsledger.evt.notify.>"]
    assert config.ack_policy is AckPolicy.ALL
    assert config.deliver_policy is DeliverPolicy.ALL
    assert config.max_ack_pending is not None
    assert config.max_ack_pending >= 2 * WINDOW_BATCHES * BATCH >= 4 * BATCH
    assert config.inactive_threshold is None


def test_a_subscription_with_larger_batches_has_a_larger_window() -> None:
    config = consumer_config("sla", replace(subscription(Tally()), batch=2 * BATCH), "a")
    assert config.max_ack_pending is not None
    assert config.max_ack_pending >= 4 * WINDOW_BATCHES * BATCH


def test_the_stream_keeps_everything_and_takes_atomic_batches() -> None:
    config = stream_config(3)
    assert (config.max_age, config.max_msgs, config.max_bytes, config.num_replicas) == (0, -1, -1, 3)
    assert config.allow_atomic
    assert config.allow_direct
