"""What a user's profile tells of their use of the service, and when they were here."""

from __future__ import annotations

from tests.fakes.upstream import Answer, FakeUpstream
from tests.web.conftest import Api, Start

PATH = "/api/user/ann"
NOTHING = {"turns": 0, "tokens": 0, "images": 0}


async def test_a_profile_is_kept_over_a_restart(start: Start):
    api = await start()
    told = await api.data(PATH, {"nickname": "小安 🐟", "email": "ann@mail.example"})
    assert await (await start()).data(PATH) == told


async def test_the_first_turn_makes_the_user_and_the_last_is_when_they_were_seen(api: Api):
    await api.chat()
    made = await api.data(PATH)
    assert made["created_at"] == made["last_seen_at"] > 0
    api.clock.ahead_ms = 60_000
    await api.chat()
    seen = await api.data(PATH)
    assert seen["created_at"] == made["created_at"]
    assert seen["last_seen_at"] >= made["last_seen_at"] + 60_000


async def test_what_is_used_is_counted_as_the_upstream_counts_it(api: Api):
    await api.chat()
    await api.chat()
    assert (await api.data(PATH))["usage"]["today"] == {"turns": 2, "tokens": 24, "images": 0}
    await api.data("/api/image", {"openid": "ann", "prompt": "a cat", "n": 2})
    usage = (await api.data(PATH))["usage"]
    assert (usage["today"]["turns"], usage["today"]["images"]) == (3, 2)
    assert usage["total"] == usage["today"]


async def test_tomorrow_todays_usage_is_nothing_and_the_total_stays(api: Api):
    await api.chat()
    api.clock.ahead_ms = 86_400_000
    usage = (await api.data(PATH))["usage"]
    assert usage["today"] == NOTHING
    assert usage["total"]["turns"] == 1


async def test_what_came_to_nothing_costs_nothing(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.html())
    await api.post("/api/chat", {"openid": "ann", "messages": [{"role": "user", "content": "hi"}]})
    assert (await api.data(PATH))["usage"] == {"today": NOTHING, "total": NOTHING}


async def test_the_quota_is_told(start: Start):
    api = await start(DAILY_TURNS="50", DAILY_TOKENS="100000", DAILY_IMAGES="5")
    assert (await api.data(PATH))["quota"] == {"turns": 50, "tokens": 100_000, "images": 5}
