"""The delivery ledger against a real mail server: once, again, never, and what nobody can know."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from tests.support.notifying import QUICK, Notify, breached, opened, resolved, warned
from tests.support.waiting import eventually

from notify.dispatch import claims
from notify.dispatch.dispatcher import Dispatcher
from notify.senders.port import Delivered, Mail, Outcome
from notify.settings import NotifySettings
from opsledger_runtime import ids
from opsledger_runtime.testing.smtp_sink import SmtpSink


@asynccontextmanager
async def working(*dispatchers: Dispatcher) -> AsyncIterator[None]:
    """Run workers until the end of the block, then stop them as a service does."""
    tasks = [asyncio.create_task(dispatcher.run()) for dispatcher in dispatchers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def settled(notify: Notify, state: str, count: int = 1) -> Callable[[], Any]:
    async def check() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await notify.get(f"/deliveries?state={state}"))["items"]
        return items if len(items) == count else []

    return check


async def tell_requester(notify: Notify) -> None:
    """One mail: to the requester, in Chinese."""
    await notify.tell(opened(), resolved("更换光模块后恢复正常"))


async def outcomes(notify: Notify, delivery: str) -> list[str]:
    return [attempt["outcome"] for attempt in (await notify.get(f"/deliveries/{delivery}"))["attempts"]]


async def test_a_chinese_notice_is_delivered_once_and_unchanged(notify: Notify, sink: SmtpSink) -> None:
    await tell_requester(notify)
    async with working(notify.dispatcher(sink.port)):
        (delivery,) = await eventually(settled(notify, "delivered"))
    (mail,) = sink.messages
    assert mail.subject == "您报告的事件单 INC0000042 已解决"
    assert "处理结果：更换光模块后恢复正常" in mail.body
    assert "标题：核心交换机 12 口反复中断" in mail.body
    assert "2026-11-22 16:32:00 +08:00" in mail.body
    assert "Asia/Shanghai" in mail.body
    assert "处理组：未指派" in mail.body
    assert mail.recipients == ("wang.fang@example.com",)
    assert mail.message_id == f"<{delivery['id']}@ops.example>" == delivery["message_id"]
    assert mail.headers["auto-submitted"] == "auto-generated"
    assert mail.headers["x-opsledger-cause"] == delivery["cause"]
    (event,) = await notify.events("NotificationDelivered")
    assert event.data["attempts"] == 1
    assert event.data["provider"] == "smtp"
    assert event.correlationid == "story"
    assert event.organisation == "acme"


async def test_r83_a_notice_of_an_internal_target_names_its_team_and_metric_in_the_readers_language(
    notify: Notify, sink: SmtpSink
) -> None:
    await notify.tell(breached(kind="ola", party="network", team="field", metric="ownership"))
    async with working(notify.dispatcher(sink.port)):
        await eventually(settled(notify, "delivered", 2))
    english, chinese = sorted(sink.messages, key=lambda mail: mail.subject)
    assert english.subject == "OLA breached: INC0000042 missed its time for ownership"
    assert "This is an internal target (OLA) of 网络组, not a promise to the customer." in english.body
    assert chinese.subject == "OLA 超时：INC0000042 的认领时限已过"
    assert "这是网络组的内部目标（OLA），不是对客户的承诺。" in chinese.body
    assert "处理组：field" in chinese.body


async def test_a_busy_mail_server_is_tried_again(notify: Notify, sink: SmtpSink) -> None:
    sink.behave("451", times=2)
    await tell_requester(notify)
    async with working(notify.dispatcher(sink.port)):
        (delivery,) = await eventually(settled(notify, "delivered"))
    assert delivery["attempt_count"] == 3
    assert await outcomes(notify, delivery["id"]) == ["transient", "transient", "delivered"]
    assert len(sink.messages) == 1


async def test_a_refusal_for_good_is_announced_at_once(notify: Notify, sink: SmtpSink) -> None:
    sink.behave("550")  # its words might hold the address
    await tell_requester(notify)
    async with working(notify.dispatcher(sink.port)):
        (delivery,) = await eventually(settled(notify, "failed"))
    assert delivery["reason"] == "550 5.1.1: the mail server refuses the message"
    (event,) = await notify.events("NotificationFailed")
    assert event.data["reason"] == delivery["reason"]
    (attempt,) = (await notify.get(f"/deliveries/{delivery['id']}"))["attempts"]
    assert attempt["detail"] == "550 5.1.1 no such person here"
    assert event.data["contact"] == "wang-fang"
    assert sink.attempts == 1


async def test_giving_up_after_the_last_attempt_is_announced(notify: Notify, sink: SmtpSink) -> None:
    sink.behave("451", times=9)
    await tell_requester(notify)
    async with working(notify.dispatcher(sink.port)):
        (delivery,) = await eventually(settled(notify, "failed"))
    assert sink.attempts == delivery["attempt_count"] == len(QUICK.retry_seconds)
    assert delivery["reason"] == "given up after 4 attempts: 451 4.3.0: the mail server refuses the message for now"


async def test_an_unreachable_mail_server_is_waited_for(notify: Notify, sink: SmtpSink) -> None:
    await sink.stop()
    await tell_requester(notify)
    waits = (0.0, *([0.05] * 40))
    async with working(notify.dispatcher(sink.port, retry_seconds=waits)):
        await eventually(lambda: notify.pool.fetchval("select max(attempt) >= 2 from delivery_attempt"))
        await sink.start()
        (delivery,) = await eventually(settled(notify, "delivered"))
    assert set(await outcomes(notify, delivery["id"])) == {"transient", "delivered"}


async def test_a_connection_lost_after_the_message_is_unknown_and_sent_again(notify: Notify, sink: SmtpSink) -> None:
    sink.behave("accept_then_drop")
    sink.behave("drop")
    await tell_requester(notify)
    async with working(notify.dispatcher(sink.port)):
        (delivery,) = await eventually(settled(notify, "delivered"))
    assert await outcomes(notify, delivery["id"]) == ["unknown", "unknown", "delivered"]
    assert [mail.message_id for mail in sink.messages] == [delivery["message_id"]] * 2
    assert len({(mail.subject, mail.body, mail.headers["date"]) for mail in sink.messages}) == 1


async def test_an_unknown_delivery_says_so_while_it_waits(notify: Notify, sink: SmtpSink) -> None:
    sink.behave("drop")
    await tell_requester(notify)
    async with working(notify.dispatcher(sink.port, retry_seconds=(0.0, 3600.0))):
        (delivery,) = await eventually(settled(notify, "unknown"))
    assert delivery["next_attempt_at"] is not None


async def test_several_workers_send_every_mail_once(notify: Notify, sink: SmtpSink) -> None:
    count = 60
    await notify.tell(*(breached(number=f"INC{n:07d}", team=None, assignee="li-wei") for n in range(count)))
    async with working(*(notify.dispatcher(sink.port, parallel=3) for _ in range(4))):
        await eventually(lambda: notify.pool.fetchval("select not exists (select from delivery_work)"), timeout=60)
    assert sink.attempts == count
    assert len({mail.message_id for mail in sink.messages}) == count
    assert len(await notify.events("NotificationDelivered")) == count


class Gate:
    """A sender that holds every mail until it is opened, and knows how many it held at once."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.held = 0
        self.most = 0

    async def send(self, mail: Mail) -> Outcome:
        self.held += 1
        self.most = max(self.most, self.held)
        await self.open.wait()
        self.held -= 1
        return Delivered("gate")


async def test_no_more_are_sent_at_once_than_allowed_and_no_lock_is_held_meanwhile(notify: Notify) -> None:
    await notify.tell(*(warned(number=f"INC{n:07d}", team=None) for n in range(7)))
    gate = Gate()
    worker = Dispatcher(notify.running.store, gate, NotifySettings(**{**QUICK.model_dump(), "parallel": 3}))
    async with working(worker):

        async def three() -> bool:
            return gate.held == 3

        await eventually(three)
        locked = "select count(*) from pg_locks where relation = 'delivery_work'::regclass and mode like 'Row%'"
        assert await notify.pool.fetchval(locked) == 0
        busy = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in%'"
        assert await notify.pool.fetchval(busy) == 0
        assert len((await notify.get("/deliveries?state=handing"))["items"]) == 3
        gate.open.set()
        await eventually(settled(notify, "delivered", 7))
    assert gate.most == 3


async def test_a_stopping_worker_finishes_what_is_on_its_way(notify: Notify, sink: SmtpSink) -> None:
    sink.behave("accept", delay=0.5)
    await tell_requester(notify)
    async with working(notify.dispatcher(sink.port)):

        async def arriving() -> bool:
            return sink.attempts == 1

        await eventually(arriving)
    assert len(await notify.events("NotificationDelivered")) == 1
    assert sink.attempts == 1


async def test_a_killed_workers_claim_is_taken_over_after_it_ran_out(notify: Notify, sink: SmtpSink) -> None:
    await tell_requester(notify)
    dead = {"seconds": 60, "most": 8, "domain": "ops.example"}
    (lost,) = await claims.claim(notify.pool, ids.new_id(), **dead)  # type: ignore[arg-type]
    assert await claims.claim(notify.pool, ids.new_id(), **dead) == []  # type: ignore[arg-type]
    await notify.pool.execute("update delivery_work set claimed_until = clock_timestamp()")
    async with working(notify.dispatcher(sink.port)):
        (delivery,) = await eventually(settled(notify, "delivered"))
    assert await outcomes(notify, delivery["id"]) == ["unknown", "delivered"]
    assert sink.messages[0].message_id == lost.message_id


async def test_a_worker_that_lost_its_claim_does_not_disturb_the_next(notify: Notify) -> None:
    await tell_requester(notify)
    brief = {"seconds": 0.01, "most": 8, "domain": "ops.example"}
    (first,) = await claims.claim(notify.pool, ids.new_id(), **brief)  # type: ignore[arg-type]

    async def take_over() -> list[claims.Claim]:
        return await claims.claim(notify.pool, ids.new_id(), seconds=60, most=8, domain="other.example")

    (second,) = await eventually(take_over)
    assert second.message_id == first.message_id
    assert not await claims.try_later(notify.pool, first, 0.0, unknown=False)
    assert await notify.pool.fetchval("select state from delivery_work") == "handing"
    assert await claims.try_later(notify.pool, second, 0.0, unknown=True)


async def test_workers_that_die_every_time_end_in_a_failure(notify: Notify, sink: SmtpSink) -> None:
    await tell_requester(notify)
    await notify.pool.execute(
        "update delivery_work set state = 'handing', attempts = 4, claimed_until = clock_timestamp()"
    )
    async with working(notify.dispatcher(sink.port)):
        (delivery,) = await eventually(settled(notify, "failed"))
    assert "stopped before it recorded" in delivery["reason"]
    assert sink.attempts == 0


async def test_a_late_outcome_of_a_settled_delivery_changes_nothing(notify: Notify, sink: SmtpSink) -> None:
    """Two workers believe to hold it: both hand over, one outcome is announced."""
    await tell_requester(notify)
    gate = Gate()
    # With one place and a mail in it, the slow worker claims nothing more while the gate is shut.
    brief = {"claim_seconds": 0.2, "smtp_timeout": 0.1, "parallel": 1}
    slow = Dispatcher(notify.running.store, gate, NotifySettings(**{**QUICK.model_dump(), **brief}))
    async with working(slow):

        async def held() -> bool:
            return gate.held == 1

        await eventually(held)
        async with working(notify.dispatcher(sink.port, claim_seconds=60.0, smtp_timeout=20.0)):
            (delivery,) = await eventually(settled(notify, "delivered"))
        assert await outcomes(notify, delivery["id"]) == ["unknown", "delivered"]
        gate.open.set()

        async def late_one_recorded() -> bool:
            return await outcomes(notify, delivery["id"]) == ["delivered", "delivered"]

        await eventually(late_one_recorded)
    assert (gate.most, sink.attempts) == (1, 1)
    (event,) = await notify.events("NotificationDelivered")
    assert (event.data["attempts"], event.data["provider"]) == (2, "smtp")
    (unchanged,) = (await notify.get("/deliveries?state=delivered"))["items"]
    assert unchanged == delivery


async def test_an_erased_address_fails_the_delivery(notify: Notify, sink: SmtpSink) -> None:
    await tell_requester(notify)
    await notify.pool.execute("delete from contact_address where contact = 'wang-fang'")
    async with working(notify.dispatcher(sink.port)):
        (delivery,) = await eventually(settled(notify, "failed"))
    assert delivery["reason"] == "the contact has no address any more"
    assert sink.attempts == 0


async def test_a_hostile_title_stays_in_its_place(notify: Notify, sink: SmtpSink) -> None:
    title = "x\r\nBcc: evil@example.com\r\n\r\n.\r\nRCPT TO:<evil@example.com>\n.\n{{ 7 * 7 }}"
    await notify.tell(breached(title=title, team=None))
    async with working(notify.dispatcher(sink.port)):
        await eventually(settled(notify, "delivered"))
    (mail,) = sink.messages
    assert mail.recipients == ("li.wei@example.com",)
    assert "bcc" not in mail.headers
    assert "{{ 7 * 7 }}" in mail.body
    assert "RCPT TO:<evil@example.com>" in mail.body


async def test_a_database_that_is_away_does_not_send_twice(notify: Notify, sink: SmtpSink) -> None:
    await tell_requester(notify)
    worker = notify.dispatcher(sink.port)
    store_run, broken = notify.running.store.run, 2

    async def flaky(work: Any, **given: Any) -> Any:
        nonlocal broken
        if broken:
            broken -= 1
            raise ConnectionResetError("the database is away")
        return await store_run(work, **given)

    notify.running.store.run = flaky  # type: ignore[method-assign]
    async with working(worker):
        (delivery,) = await eventually(settled(notify, "delivered"))
    assert sink.attempts == delivery["attempt_count"] == 1


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.AdminShutdownError("terminating connection due to administrator command"),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_database_that_restarts_does_not_stop_the_worker(
    notify: Notify, sink: SmtpSink, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tell_requester(notify)
    claim, failures = claims.claim, 3

    async def restarting(*given: Any, **options: Any) -> list[claims.Claim]:
        nonlocal failures
        if failures:
            failures -= 1
            raise error
        return await claim(*given, **options)

    monkeypatch.setattr(claims, "claim", restarting)
    async with working(notify.dispatcher(sink.port)):
        await eventually(settled(notify, "delivered"))
    assert failures == 0
