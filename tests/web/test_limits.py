"""Rates: by user and by address, told in headers, and an address that nobody can invent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.domain.limits import RateLimiter
from service.setting_kinds import Rate
from tests.fakes.upstream import FakeUpstream
from tests.web.conftest import Api, Start

CHAT: dict[str, Any] = {"openid": "ann", "messages": [{"role": "user", "content": "hi"}]}
IMAGE: dict[str, Any] = {"openid": "ann", "prompt": "a cat"}


async def status_of(api: Api, openid: str = "ann", forwarded: str | None = None, **headers: str) -> int:
    """The status of a chat, as if it had come through a proxy."""
    headers |= {"X-Forwarded-For": forwarded} if forwarded else {}
    return (await api.post("/api/chat", CHAT | {"openid": openid}, headers=headers))[0]


async def test_a_user_has_so_many_and_is_told_what_is_left(start: Start, upstream: FakeUpstream):
    api = await start(RATE_LIMIT="3/hour")
    asked = ((2, CHAT, "/api/chat"), (1, IMAGE, "/api/image"), (0, CHAT | {"stream": True}, "/api/chat"))
    for left, body, path in asked:
        async with api.client.post(path, json=body) as response:
            assert response.status == 200
            told = (response.headers["RateLimit-Limit"], response.headers["RateLimit-Remaining"])
            assert told == ("3", str(left))
            assert 0 < int(response.headers["RateLimit-Reset"]) <= 3600
            assert "Retry-After" not in response.headers
            await response.read()
    async with api.client.post("/api/chat", json=CHAT) as response:
        envelope = await response.json()
        assert (response.status, envelope["code"], envelope["data"]["type"]) == (429, 429, "rate_limited")
        wait = int(response.headers["Retry-After"])
        assert 1190 <= wait <= 1200
        assert envelope["data"]["retry_after_seconds"] == wait
        assert (response.headers["RateLimit-Limit"], response.headers["RateLimit-Remaining"]) == ("3", "0")
        assert wait <= int(response.headers["RateLimit-Reset"]) <= 3600
    assert len(upstream.calls) == 3
    assert await status_of(api, "bob") == 200


async def test_an_address_has_so_many_for_all_its_users(start: Start, upstream: FakeUpstream):
    api = await start(IP_RATE_LIMIT="2/hour")
    assert [await status_of(api, name) for name in ("ann", "bob", "cid")] == [200, 200, 429]
    async with api.client.post("/api/chat", json=CHAT | {"openid": "dan"}) as response:
        assert (response.status, response.headers["RateLimit-Limit"]) == (429, "2")
        assert int(response.headers["Retry-After"]) > 0
    assert len(upstream.calls) == 2
    assert (await api.get("/api/history/ann"))[0] == 200


@pytest.mark.parametrize("path", ["/api/login", "/api/token/refresh", "/api/files"])
async def test_what_makes_sessions_or_files_counts_by_address_too(start: Start, path: str):
    api = await start(IP_RATE_LIMIT="1/hour")
    first, second = [(await api.post(path, {}))[0] for _ in range(2)]
    assert first != 429
    assert second == 429


async def test_zero_is_no_limit(start: Start):
    api = await start(RATE_LIMIT="0", IP_RATE_LIMIT="0")
    async with api.client.post("/api/chat", json=CHAT) as response:
        assert (response.status, "RateLimit-Limit" in response.headers) == (200, False)


async def test_who_is_not_trusted_cannot_change_its_address(start: Start):
    api = await start(AUTH="open", IP_RATE_LIMIT="1/hour")
    assert await status_of(api, forwarded="8.8.8.8") == 200
    for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP", "True-Client-IP", "Client-IP"):
        assert await status_of(api, **{header: "9.9.9.9"}) == 429


@pytest.mark.parametrize(
    ("first", "second", "is_the_same"),
    [
        ("8.8.8.8", "9.9.9.9", False),
        ("8.8.8.8", "8.8.8.8", True),
        ("1.1.1.1, 8.8.8.8", "2.2.2.2, 8.8.8.8", True),
        ("8.8.8.8, 10.0.0.7", "8.8.8.8, 10.0.0.9", True),
        ("8.8.8.8, 10.0.0.7", "9.9.9.9, 10.0.0.7", False),
        ("8.8.8.8", "::ffff:8.8.8.8", True),
        ("2001:db8:1:1::1", "2001:db8:1:1:ffff::2", True),
        ("2001:db8:1:1::1", "2001:db8:1:2::1", False),
        ("unknown", "8.8.8.8, unknown", True),
        ("10.0.0.7", "", True),
        ("8.8.8.8, junk", "9.9.9.9, junk", True),
    ],
)
async def test_a_trusted_proxy_tells_the_address_and_nobody_further_out(
    start: Start, first: str, second: str, is_the_same: bool
):
    api = await start(AUTH="open", IP_RATE_LIMIT="1/hour", TRUSTED_PROXIES="127.0.0.1,10.0.0.0/8")
    assert await status_of(api, forwarded=first) == 200
    assert await status_of(api, forwarded=second) == (429 if is_the_same else 200)


async def test_a_hundred_at_once_do_not_overrun_a_rate(start: Start, upstream: FakeUpstream):
    api = await start(RATE_LIMIT="10/hour", MAX_TURNS_PER_USER="100")
    statuses = await asyncio.gather(*(status_of(api) for _ in range(100)))
    assert (statuses.count(200), statuses.count(429)) == (10, 90)
    assert len(upstream.calls) == 10


# The count itself


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_limit_grows_back_evenly():
    time = Time()
    limiter = RateLimiter(Rate(4, 60), time)
    allowed = [limiter.hit("k") for _ in range(5)]
    assert [given.told()[1] for given in allowed if given] == [3, 2, 1, 0, 0]
    assert [given.retry_after_seconds for given in allowed if given] == [0, 0, 0, 0, 15]
    time.now += 15
    again = limiter.hit("k"), limiter.hit("k")
    assert [given.retry_after_seconds for given in again if given] == [0, 15]
    time.now += 3600
    full = limiter.hit("k")
    assert full is not None
    assert (full.told(), full.retry_after_seconds) == ((4, 3, 15), 0)


def test_a_refused_request_costs_nothing():
    time = Time()
    limiter = RateLimiter(Rate(1, 60), time)
    limiter.hit("k")
    for _ in range(1000):
        limiter.hit("k")
    time.now += 60
    given = limiter.hit("k")
    assert given is not None
    assert given.retry_after_seconds == 0


def test_however_many_come_the_memory_is_bounded_and_the_busy_are_not_forgotten():
    time = Time()
    limiter = RateLimiter(Rate(1, 60), time, most_keys=100)
    for number in range(10_000):
        limiter.hit(f"address {number}")
        limiter.hit("busy")
        assert len(limiter) <= 100
    given = limiter.hit("busy")
    assert given is not None
    assert given.retry_after_seconds == 60
