"""Which failures are waited for and which are an event's own fault."""

import errno
import socket
import ssl

import asyncpg
import nats.errors
import pytest

from opsledger_runtime.errors import Invalid, RuleViolated, VersionConflict
from opsledger_runtime.transient import is_transient


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.DeadlockDetectedError("x"),
        asyncpg.SerializationError("x"),
        asyncpg.ConnectionDoesNotExistError("x"),
        asyncpg.CannotConnectNowError("x"),
        asyncpg.AdminShutdownError("x"),
        asyncpg.TooManyConnectionsError("x"),
        asyncpg.DiskFullError("x"),
        asyncpg.LockNotAvailableError("x"),
        asyncpg.IdleInTransactionSessionTimeoutError("x"),
        asyncpg.ReadOnlySQLTransactionError("x"),
        asyncpg.UndefinedTableError("x"),
        asyncpg.InsufficientPrivilegeError("x"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InterfaceError("pool is closing"),
        asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
        ConnectionResetError(),
        OSError(errno.EHOSTUNREACH, "No route to host"),
        OSError(errno.EMFILE, "Too many open files"),
        OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 99] Cannot assign"),
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        ssl.SSLError("x"),
        TimeoutError(),
        nats.errors.TimeoutError(),
        nats.errors.ConnectionClosedError(),
        VersionConflict(),
    ],
)
def test_what_passes_by_itself_is_waited_for(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.UniqueViolationError("x"),
        asyncpg.NotNullViolationError("x"),
        asyncpg.NumericValueOutOfRangeError("x"),
        asyncpg.UndefinedColumnError("x"),
        asyncpg.InterfaceError("cannot perform operation: another operation is in progress"),
        RuleViolated("x", rule="r"),
        Invalid("x"),
        ValueError("x"),
        KeyError("x"),
        FileNotFoundError(errno.ENOENT, "x"),
        PermissionError(errno.EACCES, "x"),
        OSError(errno.EINVAL, "x"),
        UnicodeDecodeError("utf-8", b"", 0, 1, "x"),
    ],
)
def test_what_an_event_causes_is_not_waited_for(error: Exception) -> None:
    assert not is_transient(error)
