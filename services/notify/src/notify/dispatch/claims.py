"""Claims on unsettled deliveries: at most one live claim each, taken before and kept during the hand-over.

All time here is machine time, read by the database. No lock and no transaction outlives a call.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from notify.domain.delivery import UNKNOWN_IS_SENT_AGAIN

# A claim that ran out in the middle of a hand-over comes back by itself: its outcome is unknown.
_CLAIM: Final = """
with due as (
  select w.id, w.state = 'handing' as cut_off, w.attempts as before
  from delivery_work w join delivery d on d.id = w.id
  where (w.state = 'planned' and w.next_attempt_at <= clock_timestamp())
     or (w.state = 'unknown' and w.next_attempt_at <= clock_timestamp() and d.channel = any($4))
     or (w.state = 'handing' and w.claimed_until <= clock_timestamp())
  order by w.next_attempt_at, w.id
  limit $3
  for update of w skip locked
), cut as (
  update delivery_attempt a set outcome = 'unknown', finished_at = clock_timestamp(), detail = $5
  from due where due.cut_off and a.delivery = due.id and a.attempt = due.before and a.outcome is null
), claimed as (
  update delivery_work w
  set state = 'handing', attempts = w.attempts + 1, claimed_by = $1,
      claimed_until = clock_timestamp() + make_interval(secs => $2),
      message_id = coalesce(w.message_id, '<' || w.id || '@' || $6 || '>')
  from due where w.id = due.id
  returning w.id, w.attempts, w.message_id, due.cut_off
), logged as (
  insert into delivery_attempt (delivery, attempt) select id, attempts from claimed
  on conflict (delivery, attempt) do update set started_at = clock_timestamp(), finished_at = null, outcome = null,
    detail = ''
)
select claimed.id, claimed.attempts, claimed.message_id, claimed.cut_off, d.contact, d.team, d.facts, d.requested_at,
  d.language, d.cause, d.channel, wording.subject, wording.body
from claimed join delivery d on d.id = claimed.id
left join wording on wording.template = d.template and wording.language = d.language
  and wording.version = d.wording_version
order by claimed.id
"""
_LATER: Final = """
update delivery_work
set state = $4, next_attempt_at = clock_timestamp() + make_interval(secs => $5), claimed_by = null, claimed_until = null
where id = $1 and claimed_by = $2 and attempts = $3
"""
_FINISH: Final = """
update delivery_attempt set finished_at = clock_timestamp(), outcome = $3, detail = $4
where delivery = $1 and attempt = $2
"""
CUT_OFF: Final = "the sender stopped before it recorded an outcome"


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery to hand over now. `attempt` counts from 1; `cut_off`: the attempt before ended unknown."""

    id: str
    holder: UUID
    attempt: int
    message_id: str
    cut_off: bool
    contact: str
    team: str | None
    facts: str
    requested_at: datetime
    language: str
    cause: str
    channel: str
    subject: str | None
    body: str | None


async def claim(pool: Any, holder: UUID, *, seconds: float, most: int, domain: str) -> list[Claim]:
    """Take up to `most` due deliveries for `seconds`; on return each is committed as being handed over.

    `domain` completes the Message-ID, which the first claim fixes.
    """
    again = [channel for channel, resend in UNKNOWN_IS_SENT_AGAIN.items() if resend]
    rows = await pool.fetch(_CLAIM, holder, seconds, most, again, CUT_OFF, domain)
    return [
        Claim(
            id=row["id"],
            holder=holder,
            attempt=row["attempts"],
            message_id=row["message_id"],
            cut_off=row["cut_off"],
            contact=row["contact"],
            team=row["team"],
            facts=row["facts"],
            requested_at=row["requested_at"],
            language=row["language"],
            cause=row["cause"],
            channel=row["channel"],
            subject=row["subject"],
            body=row["body"],
        )
        for row in rows
    ]


async def log_outcome(connection: Any, claim: Claim, outcome: str, detail: str) -> None:
    """Complete the attempt's line in the log, whoever holds the claim by now: what happened, happened."""
    await connection.execute(_FINISH, claim.id, claim.attempt, outcome, detail)


async def try_later(connection: Any, claim: Claim, seconds: float, *, unknown: bool) -> bool:
    """Give the claim back for an attempt in `seconds`. False: somebody else has claimed it meanwhile."""
    state = "unknown" if unknown else "planned"
    done = await connection.execute(_LATER, claim.id, claim.holder, claim.attempt, state, seconds)
    return bool(done == "UPDATE 1")
