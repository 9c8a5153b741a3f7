"""Fixtures of the tests with a BI tool; they live in `tests/support`."""

from tests.support.whole_platform import mail, platform

__all__ = ["mail", "platform"]
