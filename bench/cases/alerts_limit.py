"""The limit of the case `alerts`, in a process of its own: a bare ASGI handler on the same server and loop."""

import json
from typing import Any, Final

import asyncpg
import uvicorn

from opsledger.serving import listen

STOP: Final = "/stop"
_POOL: Final = 10  # as many connections as a service has
_TABLE: Final = """
create table if not exists bench_alert (
  id bigint generated always as identity primary key,
  fingerprint text not null,
  starts_at timestamptz not null,
  status text not null,
  body jsonb not null
)
"""
_INSERT: Final = """
insert into bench_alert (fingerprint, starts_at, status, body)
select fingerprint, starts_at::timestamptz, status, body::jsonb
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as new (fingerprint, starts_at, status, body)
"""


async def serve(url: str, port: int) -> int:
    """Answer webhooks until somebody asks for `STOP`; how many alerts were committed."""
    async with asyncpg.create_pool(url, min_size=_POOL, max_size=_POOL) as pool:
        await pool.execute(_TABLE)
        committed = 0

        async def app(scope: Any, receive: Any, send: Any) -> None:
            nonlocal committed
            if scope["path"] == STOP:
                server.should_exit = True
            else:
                parts, more = [], True
                while more:
                    message = await receive()
                    parts.append(message["body"])
                    more = message["more_body"]
                alerts = json.loads(b"".join(parts))["alerts"]
                rows = [(one["fingerprint"], one["startsAt"], one["status"], json.dumps(one)) for one in alerts]
                async with pool.acquire() as connection, connection.transaction():
                    await connection.execute(_INSERT, *(list(column) for column in zip(*rows, strict=True)))
                committed += len(rows)
            headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
            await send({"type": "http.response.start", "status": 202, "headers": headers})
            await send({"type": "http.response.body", "body": b"{}"})

        config = uvicorn.Config(
            app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False, proxy_headers=False
        )
        server = uvicorn.Server(config)
        await server.serve(sockets=[listen("127.0.0.1", port)])
    return committed
