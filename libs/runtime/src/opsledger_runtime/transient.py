"""Which failures pass by themselves. Pure.

Owns the one list that decides between "wait and repeat" and "this event is the cause". A deployment that is not
finished (a table or a right is missing) counts as passing: it would make every event fail, and none is to blame.
"""

import errno
import socket
import ssl
from typing import Final

import asyncpg
from nats.errors import Error as NatsError

from opsledger_runtime.errors import VersionConflict

_CLASSES: Final = frozenset({"08", "40", "53", "55", "57", "58"})
"""SQLSTATE classes: connection, rollback (deadlock, serialization), resources, not in state, operator, system."""

_STATES: Final = frozenset({"25P03", "25006", "42P01", "42501", "3F000"})
"""Idle transaction ended, read-only replica, and the unfinished deployment."""

_SOCKET: Final = frozenset(
    {
        errno.EADDRNOTAVAIL,
        errno.EAGAIN,
        errno.EBADF,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EMFILE,
        errno.ENETDOWN,
        errno.ENETRESET,
        errno.ENETUNREACH,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOTCONN,
    }
)
"""What a connection fails with beside `ConnectionError`; any other `OSError` is a handler's own."""

_LOST: Final = ("closed", "closing", "lost", "released", "terminated")


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed later without anybody changing it."""
    if isinstance(error, asyncpg.PostgresError):
        state = getattr(error, "sqlstate", None) or ""
        return state[:2] in _CLASSES or state in _STATES
    if isinstance(error, asyncpg.InterfaceError):
        return any(word in str(error) for word in _LOST)
    if isinstance(error, asyncpg.InternalClientError):  # a statement met the server's last word to its session
        return True
    if isinstance(error, VersionConflict | ConnectionError | TimeoutError | NatsError | EOFError):
        return True
    if isinstance(error, ssl.SSLError | socket.gaierror):
        return True
    if not isinstance(error, OSError):
        return False
    several = error.errno is None and str(error).startswith("Multiple exceptions")  # asyncio, of several addresses
    return several or error.errno in _SOCKET


def is_timeout(error: BaseException) -> bool:
    """Whether a statement or a handler took too long: transient, unless the same one does so again and again."""
    if isinstance(error, asyncpg.QueryCanceledError):
        return True
    return isinstance(error, TimeoutError) and not isinstance(error, NatsError)
