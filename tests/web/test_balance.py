"""GET /api/balance: the upstream's figures, asked rarely, and only for whom they are."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.upstream import Answer, FakeUpstream
from tests.web.conftest import Api, Start

BILLING = "/dashboard/billing"
ELSEWHERE = {"X-Forwarded-For": "203.0.113.9"}


def asked(upstream: FakeUpstream) -> int:
    """How often the balance was asked for, whatever it takes."""
    return sum("subscription" in call.path for call in upstream.calls)


async def test_the_seeds_three_figures_and_where_they_come_from(api: Api):
    data = await api.data("/api/balance")
    assert (data["total_limit"], data["total_usage"], data["remaining"]) == (100.0, 12.345, 87.655)
    assert (data["currency"], data["source"], data["unlimited"]) == ("USD", "one-api", False)
    assert abs(data["as_of"] - api.clock.now_ms()) < 10_000


async def test_cents_do_not_grow_digits(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.json({"hard_limit_usd": 0.3}), path=f"{BILLING}/subscription")
    upstream.answer_with(Answer.json({"total_usage": 10}), path=f"{BILLING}/usage")
    assert (await api.data("/api/balance"))["remaining"] == 0.2


async def test_no_limit_is_told_as_such_and_not_as_a_hundred_million(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.json({"hard_limit_usd": 100000000}), path=f"{BILLING}/subscription")
    data = await api.data("/api/balance")
    assert data["unlimited"] is True
    assert data["remaining"] is None


async def test_it_is_asked_once_a_minute(api: Api, upstream: FakeUpstream):
    first = await api.data("/api/balance")
    api.clock.ahead_ms = 59_000
    assert await api.data("/api/balance") == first
    assert asked(upstream) == 1
    api.clock.ahead_ms = 61_000
    assert (await api.data("/api/balance"))["as_of"] > first["as_of"]
    assert asked(upstream) == 2


async def test_all_who_ask_at_once_share_one_call(api: Api, upstream: FakeUpstream):
    gate = asyncio.Event()
    upstream.answer_with(Answer.json({"hard_limit_usd": 5}).held(gate), path=f"{BILLING}/subscription")
    asking = [asyncio.create_task(api.data("/api/balance")) for _ in range(20)]
    await upstream.called()
    gate.set()
    assert {data["total_limit"] for data in await asyncio.gather(*asking)} == {5.0}
    assert asked(upstream) == 1


async def test_all_who_wait_share_a_failure_and_nobody_after_them(api: Api, upstream: FakeUpstream):
    gate = asyncio.Event()
    upstream.answer_with(Answer.error(403, "no").held(gate), Answer.error(403, "no"), path=f"{BILLING}/subscription")
    asking = [asyncio.create_task(api.get("/api/balance")) for _ in range(20)]
    await upstream.called()
    gate.set()
    answers = await asyncio.gather(*asking)
    assert {(status, envelope["data"]["type"]) for status, envelope in answers} == {(500, "upstream_rejected")}
    assert asked(upstream) == 2  # at both places where relays have it
    await api.data("/api/balance")


async def test_who_leaves_does_not_take_the_call_of_the_others_along(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.stall(), path=f"{BILLING}/subscription")
    leaving = asyncio.create_task(api.get("/api/balance"))
    await upstream.called()
    waiting = asyncio.create_task(api.data("/api/balance"))
    leaving.cancel()
    await upstream.hung_up()
    async with asyncio.timeout(5):
        assert (await waiting)["total_limit"] == 100.0


async def test_an_error_inside_a_200_is_a_failure(api: Api, upstream: FakeUpstream):
    upstream.answer_always(
        Answer.json({"error": {"message": "bad key sk-planted-key"}}), path=f"{BILLING}/subscription"
    )
    status, envelope = await api.get("/api/balance")
    assert (status, envelope["data"]["type"]) == (500, "upstream_invalid")
    assert "planted" not in str(envelope)


async def test_the_official_api_has_none_to_tell_and_is_not_asked(start: Start, upstream: FakeUpstream):
    api = await start(OPENAI_BALANCE="openai")
    status, envelope = await api.get("/api/balance")
    assert (status, envelope["data"]["type"], envelope["data"]["retryable"]) == (500, "balance_unsupported", False)
    assert not upstream.calls


async def test_users_may_ask_unless_it_is_for_the_operator(start: Start):
    api = await start(AUTH="open")
    await api.data("/api/balance", headers=ELSEWHERE)
    api = await start(AUTH="open", BALANCE_FOR="admin")
    assert (await api.get("/api/balance", headers=ELSEWHERE))[1]["data"]["type"] == "admin_only"


@pytest.mark.parametrize("auth", ["local", "open", "required"])
async def test_the_operators_token_is_enough_wherever_it_comes_from(start: Start, auth: str):
    api = await start(AUTH=auth, BALANCE_FOR="admin", ADMIN_TOKEN="planted-admin-token")
    await api.data("/api/balance", headers=ELSEWHERE | {"Authorization": "Bearer planted-admin-token"})
    status, envelope = await api.get("/api/balance", headers=ELSEWHERE | {"Authorization": "Bearer another"})
    assert (status, envelope["data"]["type"]) == (403, "admin_only")
