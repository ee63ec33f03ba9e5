"""Slow, greedy and broken clients against the real process: the others are answered as before."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from statistics import median

import pytest
from aiohttp import ClientSession

from tests.fakes.upstream import FakeUpstream
from tests.web.raw_client import HEAD, Clients, clients_of
from tests.web.service_process import ServiceProcess, run_service

ASK = b'{"openid":"ann","messages":[{"role":"user","content":"hi"}]}'
JSON = {"Content-Type": "application/json"}
MANY = 200


@asynccontextmanager
async def running(
    upstream: FakeUpstream, folder: Path, **settings: str
) -> AsyncIterator[tuple[ServiceProcess, Clients]]:
    more = {"OPENAI_BASE_URL": upstream.base_url, "RATE_LIMIT": "0", "IP_RATE_LIMIT": "0"}
    async with run_service(folder, **more | settings) as service, clients_of(service) as clients:
        yield service, clients


async def latencies_ms(client: ClientSession) -> list[float]:
    found = []
    for _ in range(40):
        started = time.perf_counter()
        async with client.post("/api/chat", data=ASK, headers=JSON) as response:
            assert response.status == 200
            await response.read()
        found.append((time.perf_counter() - started) * 1000)
    return found


@pytest.mark.parametrize(
    ("start", "endless", "answer"),
    [
        (b"POST /api/chat HTTP/1.1\r\nX-Slow: ", b"a", b""),
        (HEAD + b"Content-Length: 100000\r\n\r\n", b" ", b"body_timeout"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", b"body_timeout"),
    ],
    ids=["header", "body", "chunks"],
)
async def test_two_hundred_tricklers_end_in_time_and_the_others_are_answered_as_before(
    upstream: FakeUpstream,
    tmp_path: Path,
    start: bytes,
    endless: bytes,
    answer: bytes,
):
    deadlines = {"HEADER_TIMEOUT_SECONDS": "2", "BODY_TIMEOUT_SECONDS": "2"}
    async with running(upstream, tmp_path, **deadlines) as (service, clients), ClientSession(service.url) as client:
        before = await latencies_ms(client)
        connections = [await clients.connect() for _ in range(MANY)]
        trickling = [asyncio.create_task(one.trickle(start, endless)) for one in connections]
        await asyncio.sleep(0.2)
        during = await latencies_ms(client)
        assert not any(task.done() for task in trickling)
        ended = await asyncio.gather(*trickling)
    print(f"median of a chat: {median(before):.1f} ms before, {median(during):.1f} ms during")
    assert median(during) < 3 * median(before) + 20
    assert all(1.5 < seconds < 5 and answer in said for seconds, said in ended)


async def test_one_address_may_have_so_many_connections_and_others_are_still_answered(
    upstream: FakeUpstream, tmp_path: Path
):
    caps = {"MAX_CONNECTIONS_PER_ADDRESS": "10", "MAX_CONNECTIONS": "30"}
    async with running(upstream, tmp_path, **caps) as (_, clients):
        mine = [await clients.connect() for _ in range(10)]
        assert await (await clients.connect()).rest() == b""
        assert await (await clients.connect("127.0.0.2")).is_answered()
        assert await mine[0].is_answered()
        mine[0].writer.write(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
        await mine[0].rest()
        assert await (await clients.connect()).is_answered()


async def test_all_together_may_have_so_many_connections(upstream: FakeUpstream, tmp_path: Path):
    caps = {"MAX_CONNECTIONS": "4", "TRUSTED_PROXIES": "127.0.0.9"}
    async with running(upstream, tmp_path, **caps) as (_, clients):
        proxied = [await clients.connect("127.0.0.9") for _ in range(4)]
        assert await (await clients.connect("127.0.0.9")).rest() == b""
        assert await (await clients.connect("127.0.0.2")).rest() == b""
        assert await proxied[0].is_answered()


async def test_no_address_alone_takes_all_connections(upstream: FakeUpstream, tmp_path: Path):
    async with running(upstream, tmp_path, MAX_CONNECTIONS="4") as (_, clients):
        for _ in range(2):
            await clients.connect()
        assert await (await clients.connect()).rest() == b""
        assert await (await clients.connect("127.0.0.2")).is_answered()


async def test_an_answer_that_nobody_takes_is_given_up(upstream: FakeUpstream, tmp_path: Path):
    body = json.dumps({"openid": "ann", "messages": [{"role": "user", "content": "x" * 2_000_000}]}).encode()
    async with running(upstream, tmp_path, BODY_TIMEOUT_SECONDS="1") as (service, clients):
        async with ClientSession(service.url) as client:
            for _ in range(4):
                await (await client.post("/api/chat", data=BytesIO(body), headers=JSON)).read()
        connection = await clients.connect()
        connection.transport.pause_reading()
        connection.writer.write(b"GET /api/history/ann HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await asyncio.sleep(3)  # three times as long as it may go unread
        connection.transport.resume_reading()
        assert len(await connection.rest()) < 8_000_000
