"""Fixtures of the end-to-end tests; they live in `tests/support`."""

from tests.support.whole_platform import mail, manager, platform

__all__ = ["mail", "manager", "platform"]
