"""Fixtures that every test may use; they live in `tests/support`."""

from tests.support.plain_logs import plain_logs
from tests.support.servers import database, fresh_nats, nats_url, postgres_url

__all__ = ["database", "fresh_nats", "nats_url", "plain_logs", "postgres_url"]
