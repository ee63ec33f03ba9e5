"""Bodies that are wrong in how they are sent: too much, too slow, cut off, packed. Seen from a bare socket."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import time
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from multidict import CIMultiDict

from tests.fakes.upstream import FakeUpstream
from tests.web.conftest import Api, Start
from tests.web.raw_client import HEAD, Clients
from tests.web.refusals import check_envelope

CHAT = json.dumps({"openid": "ann", "messages": [{"role": "user", "content": "hi"}]}).encode()
MEGABYTE = 1 << 20
HUNDRED_MEGABYTES = 100 * MEGABYTE
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SLOW = 0.2


@pytest.fixture
async def clients(api: Api) -> AsyncIterator[Clients]:
    clients = Clients(api.client)  # type: ignore[arg-type]
    yield clients
    await clients.leave()


@pytest.fixture
async def api(start: Start) -> Api:
    return await start(BODY_TIMEOUT_SECONDS=str(SLOW), MAX_BODY_BYTES="1 MiB")


def sized(body: bytes, *more: bytes, length: int | None = None) -> bytes:
    lines = [b"Content-Length: %d" % (len(body) if length is None else length), *more]
    return HEAD + b"\r\n".join(lines) + b"\r\n\r\n" + body


def check(answer: tuple[int, dict[str, str], Any], code: int, type: str) -> None:
    status, headers, envelope = answer
    check_envelope(status, CIMultiDict(headers), envelope, code, type)


async def test_a_body_that_says_it_is_100_mb_is_refused_before_it_comes(clients: Clients):
    check(await clients.ask(sized(b"", length=HUNDRED_MEGABYTES)), 413, "body_too_large")


async def test_a_body_of_100_mb_is_refused_while_it_comes(clients: Clients):
    connection = await clients.connect()
    connection.writer.write(sized(b"", length=HUNDRED_MEGABYTES))
    sent = await push(connection.writer, b" " * MEGABYTE, 100)
    head = await connection.reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert sent <= 100


async def test_100_mb_in_chunks_are_refused_at_the_bound(clients: Clients):
    connection = await clients.connect()
    connection.writer.write(CHUNKED)
    answer = asyncio.create_task(connection.reader.readuntil(b"\r\n\r\n"))
    await push(connection.writer, b"%x\r\n" % MEGABYTE + b" " * MEGABYTE + b"\r\n", 100)
    assert (await answer).startswith(b"HTTP/1.1 413 ")


async def push(writer: asyncio.StreamWriter, block: bytes, times: int) -> int:
    """Send as long as the other side listens; how many blocks it took."""
    for number in range(times):
        try:
            writer.write(block)
            async with asyncio.timeout(5):
                await writer.drain()
        except ConnectionError:
            return number
    return times


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
async def test_a_bomb_is_refused_at_the_bound_and_soon(clients: Clients, pack: Any):
    encoding = b"Content-Encoding: " + (b"gzip" if pack is gzip.compress else b"deflate")
    bomb = pack(b" " * 20 * MEGABYTE + CHAT)
    started = time.monotonic()
    check(await clients.ask(sized(bomb, encoding)), 413, "body_too_large")
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
async def test_a_packed_body_is_unpacked(clients: Clients, api: Api, pack: Any):
    encoding = b"Content-Encoding: " + (b"gzip" if pack is gzip.compress else b"deflate")
    status, _, envelope = await clients.ask(sized(pack(CHAT), encoding))
    assert (status, envelope["data"]["reply"]) == (200, "hi")


BADLY_PACKED = {
    "junk for gzip": (sized(b"junk", b"Content-Encoding: gzip"), "body_incomplete"),
    "half a gzip": (sized(gzip.compress(CHAT)[:-20], b"Content-Encoding: gzip"), "invalid_json"),
    "an encoding that is not there": (sized(b"junk", b"Content-Encoding: br"), "invalid_request"),
    "one that nobody knows": (sized(b"junk", b"Content-Encoding: rot13"), "invalid_json"),
    "chunks that are none": (CHUNKED + b"zz\r\n\r\n", "invalid_request"),
    "a chunk that is none after one that is": (CHUNKED + b'2\r\n{"\r\nzz\r\n', "invalid_request"),
    "a length that is none": (HEAD + b"Content-Length: five\r\n\r\n", "invalid_request"),
    "a length and chunks": (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", "invalid_request"),
    "no body": (HEAD + b"Content-Length: 0\r\n\r\n", "missing_field"),
    "a body that is not announced": (HEAD + b"\r\n" + CHAT, "invalid_request"),
}


@pytest.mark.parametrize(("data", "type"), BADLY_PACKED.values(), ids=BADLY_PACKED)
async def test_what_is_badly_packed_is_a_400_and_no_traceback(
    clients: Clients, upstream: FakeUpstream, caplog: pytest.LogCaptureFixture, data: bytes, type: str
):
    check(await clients.ask(data), 400, type)
    await clients.leave()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert not upstream.calls


@pytest.mark.parametrize("sent", [b"", b'{"openid":'], ids=["nothing", "half of it"])
async def test_a_body_that_stalls_is_told_in_time(clients: Clients, sent: bytes):
    started = time.monotonic()
    check(await clients.ask(sized(sent, length=1000)), 400, "body_timeout")
    assert SLOW * 0.9 < time.monotonic() - started < SLOW + 2


async def test_a_body_that_trickles_is_told_in_time(clients: Clients):
    connection = await clients.connect()
    seconds, answer = await connection.trickle(sized(b"", length=1000), b" ")
    assert b'"body_timeout"' in answer
    assert seconds < SLOW + 2


@pytest.mark.parametrize(
    "begun", [sized(CHAT[:10], length=1000), CHUNKED + b"a\r\n" + CHAT[:5]], ids=["sized", "chunked"]
)
async def test_a_body_that_is_cut_off_leaves_nothing(
    api: Api, clients: Clients, upstream: FakeUpstream, caplog: pytest.LogCaptureFixture, begun: bytes
):
    connection = await clients.connect()
    connection.writer.write(begun)
    await connection.writer.drain()
    connection.writer.write_eof()
    assert (await connection.rest(5)).partition(b" ")[2][:3] in (b"", b"400")
    assert not await api.history()
    assert not upstream.calls
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("path", [b"GET /healthz", b"POST /nothing/here", b"GET /api/chat"])
async def test_who_needs_no_body_is_answered_without_it(clients: Clients, path: bytes):
    connection = await clients.connect()
    connection.writer.write(path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % HUNDRED_MEGABYTES)
    async with asyncio.timeout(5):
        assert (await connection.reader.readuntil(b"\r\n\r\n"))[9:12] in (b"200", b"404", b"405")


async def test_a_client_may_wait_to_be_asked_for_the_body(clients: Clients):
    connection = await clients.connect()
    connection.writer.write(sized(b"", b"Expect: 100-continue", length=len(CHAT)))
    async with asyncio.timeout(5):
        assert await connection.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.writer.write(CHAT)
        assert (await connection.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


async def test_an_expectation_that_nobody_knows_is_refused_with_an_id(clients: Clients):
    connection = await clients.connect()
    connection.writer.write(sized(CHAT, b"Expect: a miracle"))
    async with asyncio.timeout(5):
        head = await connection.reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 417 ")
    assert b"X-Request-ID: " in head
