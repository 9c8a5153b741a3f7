"""Fixtures of this folder; what they do lives in tests/support."""

from tests.support.data_folder import platform

__all__ = ["platform"]
