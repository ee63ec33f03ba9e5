"""A small answer to a plain request leaves in one write; nobody can tell it from one that aiohttp has written."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from service.web.envelope import success
from tests.web.conftest import Api, Start

_CHAT = b'{"openid":"ann","messages":[{"role":"user","content":"hi"}]}'


async def test_the_head_is_the_same_whoever_writes_it(api: Api):
    plain = await _heads(api, _post())
    assert plain["date"].endswith(" GMT")
    for other in (_post("Connection: close\r\n"), _post("Origin: http://a.example\r\n"), _post(version="1.0")):
        head = await _heads(api, other)
        more = {"connection", "access-control-allow-origin", "access-control-expose-headers"}
        assert head.keys() - more == plain.keys()
        for name in ("status", "content-type", "vary", "ratelimit-limit"):
            assert head[name] == plain[name]


async def test_an_old_client_is_told_that_its_connection_stays(api: Api):
    assert (await _heads(api, _post("Connection: keep-alive\r\n", version="1.0")))["connection"] == "keep-alive"


async def test_a_connection_that_shall_close_is_closed_after_the_answer(api: Api):
    reader, writer = await _connect(api)
    writer.write(_post("Connection: close\r\n"))
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.count(b"HTTP/1.1 200 OK") == 1
    writer.close()


async def test_answers_follow_each_other_on_one_connection(api: Api):
    reader, writer = await _connect(api)
    writer.write(_post() + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + _post())
    assert [b"turn_id" in await _body(reader) for _ in range(3)] == [True, False, True]
    writer.close()


@pytest.mark.parametrize("size", [60_000, 70_000])
async def test_whoever_takes_nothing_gets_no_further_answers(start: Start, size: int):
    answered = 0
    waits = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal answered
        answered += 1
        assert request.transport is not None
        if request.transport.get_write_buffer_size():
            waits.set()
        return success("x" * size)

    api = await start(routes=[web.get("/long", answer)])
    _, writer = await _connect(api, limit=1)
    writer.write(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n" * 2000)
    await asyncio.wait_for(waits.wait(), 10)
    before = answered
    for _ in range(200):  # each answer takes a few turns of the loop
        await asyncio.sleep(0)
    assert answered - before <= 2
    writer.transport.abort()


async def test_a_body_that_nobody_wants_is_not_waited_for_once_its_client_has_left(api: Api):
    before = len(asyncio.all_tasks())
    for _ in range(5):
        reader, writer = await _connect(api)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx")
        await _body(reader)
        writer.transport.abort()
    async with asyncio.timeout(3):  # aiohttp would wait ten
        while len(asyncio.all_tasks()) > before:
            await asyncio.sleep(0.01)


def _post(more: str = "", version: str = "1.1") -> bytes:
    head = f"POST /api/chat HTTP/{version}\r\nHost: x\r\nContent-Type: application/json\r\n{more}"
    return f"{head}Content-Length: {len(_CHAT)}\r\n\r\n".encode() + _CHAT


async def _connect(api: Api, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", api.client.server.port, **options)


async def _heads(api: Api, request: bytes) -> dict[str, str]:
    reader, writer = await _connect(api)
    writer.write(request)
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
    writer.close()
    return {"status": status[9:]} | {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


async def _body(reader: asyncio.StreamReader) -> bytes:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    (length,) = [line.split()[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    return await reader.readexactly(int(length))
