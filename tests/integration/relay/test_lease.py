"""Leases on a real database: one holder at a time, and a holder that knows when it is none any more."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from typing import TypeAlias

import asyncpg
import pytest
from tests.support.waiting import eventually

from opsledger_runtime import ids, planted
from opsledger_runtime.clock import monotonic
from opsledger_runtime.lease import Lease, LeaseLost

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


class Work:
    """Notes when it runs; `slow` is how long it takes to end after it was cancelled."""

    def __init__(self, slow: float = 0.0) -> None:
        self.running = 0
        self.runs = 0
        self.slow = slow
        self.ended: list[float] = []

    async def __call__(self, lease: Lease) -> None:
        self.running += 1
        self.runs += 1
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(self.slow)
            self.running -= 1
            self.ended.append(monotonic())

    async def runs_now(self) -> bool:
        return self.running == 1


def lease(pool: Pool, **times: float) -> Lease:
    return Lease(pool, "thing", holder=ids.new_id(), **times)


async def end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})


async def test_one_of_several_works_and_a_successor_follows_a_release_at_once(pool: Pool) -> None:
    leases = [lease(pool) for _ in range(3)]
    works = [Work() for _ in leases]
    tasks = [asyncio.create_task(one.run(work)) for one, work in zip(leases, works, strict=True)]

    async def somebody() -> bool:
        return sum(work.running for work in works) == 1

    seen = []
    while tasks:
        await eventually(somebody, timeout=5)
        index = next(i for i, work in enumerate(works) if work.running)
        assert [one.held for one in leases].count(True) == 1
        seen.append(leases[index].epoch)
        await end(tasks[index])
        assert not leases[index].held
        assert works[index].running == 0
        for found in (leases, works, tasks):
            del found[index]
    assert seen == [1, 2, 3], "the epoch grows with each acquisition"


async def test_after_a_loss_the_work_has_ended_before_the_lease_is_sought_again(pool: Pool) -> None:
    one, work = lease(pool, renew_every=0.1), Work(slow=0.5)
    task = asyncio.create_task(one.run(work))
    await eventually(work.runs_now)
    await pool.execute("update es.lease set holder = $1, epoch = epoch + 1", ids.new_id())

    async def lost() -> bool:
        return not one.held

    await eventually(lost)
    assert work.running == 1, "it is ending"
    await pool.execute("update es.lease set expires_at = clock_timestamp() - interval '1 second'")

    async def again() -> bool:
        return work.runs == 2 and work.running == 1

    await eventually(again)
    assert one.epoch == 3
    assert len(work.ended) == 1
    await end(task)


async def test_work_that_ends_slowly_keeps_the_lease_until_it_has_ended(pool: Pool) -> None:
    one, work = lease(pool, renew_every=0.1, expires_after=0.6), Work(slow=1.5)
    other, next_work = lease(pool, renew_every=0.1, expires_after=0.6), Work()
    task = asyncio.create_task(one.run(work))
    await eventually(work.runs_now)
    following = asyncio.create_task(other.run(next_work))
    task.cancel()
    await eventually(next_work.runs_now)
    assert work.ended, "the successor began after the predecessor's end"
    await asyncio.wait({task})
    assert task.cancelled()
    await end(following)


async def test_a_holder_that_cannot_renew_steps_down_before_another_could_acquire(pool: Pool, database: str) -> None:
    one, work = lease(pool, renew_every=0.2, expires_after=2.0), Work()
    task = asyncio.create_task(one.run(work))
    await eventually(work.runs_now)
    blocker = await asyncpg.connect(database)
    await blocker.execute("begin")
    await blocker.fetch("select 1 from es.lease for update")  # renewing hangs, as on a frozen database

    async def stepped_down() -> bool:
        return not one.held and work.running == 0

    try:
        await eventually(stepped_down, timeout=5, every=0.005)
        remaining = await blocker.fetchval(
            "select extract(epoch from expires_at - clock_timestamp())::float from es.lease"
        )
        assert remaining > 0, "nobody else could have had it yet"
    finally:
        await blocker.execute("rollback")
        await blocker.close()
    await eventually(work.runs_now)
    await end(task)


async def test_work_that_fails_is_begun_again(pool: Pool) -> None:
    runs = 0

    async def fail(_: Lease) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise RuntimeError("as an example")
        await asyncio.Event().wait()

    async def twice() -> bool:
        return runs == 2

    one = lease(pool)
    task = asyncio.create_task(one.run(fail))
    await eventually(twice)
    assert one.epoch == 2
    await end(task)


async def test_the_guard_keeps_the_lease_until_the_transaction_ends(pool: Pool) -> None:
    one, other, work, next_work = lease(pool), lease(pool), Work(), Work()
    task = asyncio.create_task(one.run(work))
    await eventually(work.runs_now)
    following = asyncio.create_task(other.run(next_work))
    async with pool.acquire() as connection:
        async with connection.transaction():
            await one.guard(connection)
            with pytest.raises(asyncpg.LockNotAvailableError):
                await pool.execute(
                    "with own as (select 1 from es.lease for update nowait)"
                    " update es.lease set expires_at = clock_timestamp() from own"
                )
        await pool.execute("update es.lease set expires_at = clock_timestamp() - interval '1 second'")
        await eventually(next_work.runs_now)
        with pytest.raises(LeaseLost):
            await one.guard(connection)
    assert not one.held
    await end(task)
    await end(following)


async def test_a_guarded_transaction_longer_than_the_lease_lives_is_renewed_beside_and_commits(pool: Pool) -> None:
    one, other = (lease(pool, renew_every=0.2, expires_after=1.2) for _ in range(2))
    next_work, done = Work(), asyncio.Event()

    async def long(_: Lease) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await one.guard(connection)
            await connection.execute("insert into es.outbox (event) values (gen_random_uuid())")
            for _ in range(8):
                await connection.fetch("select pg_sleep(0.4)")
                assert one.held
        done.set()
        await asyncio.Event().wait()

    task, following = asyncio.create_task(one.run(long)), None
    await eventually(lambda: held(one))
    following = asyncio.create_task(other.run(next_work))
    await asyncio.wait_for(done.wait(), 10)
    assert (one.held, one.epoch, next_work.runs) == (True, 1, 0)
    assert await pool.fetchval("select count(*) from es.outbox") == 1
    await end(following)
    await end(task)


async def held(one: Lease) -> bool:
    return one.held


async def test_who_acquires_waits_for_the_guarded_transaction_though_the_lease_has_expired(pool: Pool) -> None:
    one, other, work, next_work = lease(pool), lease(pool), Work(), Work()
    task = asyncio.create_task(one.run(work))
    await eventually(work.runs_now)
    async with pool.acquire() as connection, connection.transaction():
        await one.guard(connection)
        await pool.execute("update es.lease set expires_at = clock_timestamp() - interval '1 second'")
        following = asyncio.create_task(other.run(next_work))

        async def waits() -> bool:
            return bool(await pool.fetchval("select exists (select from pg_locks where not granted)"))

        await eventually(waits)
        assert await connection.fetchval("select epoch from es.lease") == 1
        assert next_work.runs == 0
    await eventually(next_work.runs_now)
    await end(task)
    await end(following)


_CHILD = """
import asyncio, sys
import asyncpg
from opsledger_runtime import ids
from opsledger_runtime.lease import Lease, LeaseLost

async def main():
    pool = await asyncpg.create_pool(sys.argv[1], min_size=1, max_size=3)
    lease = Lease(pool, "thing", holder=ids.new_id(), renew_every=0.2, expires_after=1.5)
    async def look():
        async with pool.acquire() as connection, connection.transaction():
            try:
                await lease.guard(connection)
                print("GUARD PASSED", flush=True)
            except LeaseLost:
                print("guarded", flush=True)
    looking = []
    async def work(_):
        try:
            while lease.held:
                print("held", flush=True)
                await asyncio.sleep(0.005)
        finally:  # by its own look or by being cancelled, whichever wakes first
            print("STILL HELD" if lease.held else "not held", flush=True)
            looking.append(asyncio.create_task(look()))
    await lease.run(work)
asyncio.run(main())
"""


async def test_a_frozen_process_finds_out_before_it_does_anything(pool: Pool, database: str) -> None:
    child = subprocess.Popen(  # noqa: ASYNC220 - starting it takes a moment only
        [sys.executable, "-c", textwrap.dedent(_CHILD), database], stdout=subprocess.PIPE, text=True
    )
    other, work = lease(pool), Work()
    try:
        assert child.stdout is not None

        lines: list[str] = []
        while "held" not in lines:
            lines.append((await asyncio.to_thread(child.stdout.readline)).strip())
        os.kill(child.pid, signal.SIGSTOP)
        task = asyncio.create_task(other.run(work))
        await eventually(work.runs_now)
        os.kill(child.pid, signal.SIGCONT)
        while lines[-1] not in ("guarded", "GUARD PASSED"):
            lines.append((await asyncio.to_thread(child.stdout.readline)).strip())
        assert lines[-2:] == ["not held", "guarded"]
        # One "held" may have been under way when it was frozen; nothing is done after it woke.
        assert "STILL HELD" not in lines
        await end(task)
    finally:
        child.kill()
        child.wait()


async def test_the_planted_bug_lets_two_work_at_once(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    planted.planted_bug.cache_clear()
    monkeypatch.setenv(planted.SWITCH, "lease-ignored")
    works = [Work(), Work()]
    try:
        leases = [lease(pool, renew_every=0.1), lease(pool, renew_every=0.1)]
    finally:
        monkeypatch.delenv(planted.SWITCH)
        planted.planted_bug.cache_clear()
    tasks = [asyncio.create_task(one.run(work)) for one, work in zip(leases, works, strict=True)]

    async def both() -> bool:
        return all(work.running for work in works) and all(one.held for one in leases)

    await eventually(both)
    async with pool.acquire() as connection:
        for one in leases:
            await one.guard(connection)
    for task in tasks:
        await end(task)
