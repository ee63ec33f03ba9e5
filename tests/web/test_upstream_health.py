"""An upstream that fails is told at /readyz, and nobody is refused for it."""

from __future__ import annotations

from tests.fakes.upstream import Answer, FakeUpstream
from tests.web.conftest import Api

ASK = {"openid": "ann", "messages": [{"role": "user", "content": "hi"}]}


async def test_failures_in_a_row_are_told_until_an_answer_comes(api: Api, upstream: FakeUpstream):
    assert (await api.data("/readyz"))["upstream"] == "ok"
    upstream.answer_with(*[Answer.html()] * 3)
    for _ in range(3):
        assert (await api.post("/api/chat", ASK))[0] == 500
    assert (await api.data("/readyz"))["upstream"] == "failing"
    await api.chat()
    assert (await api.data("/readyz"))["upstream"] == "ok"


async def test_a_refused_request_is_no_failure_of_the_upstream(api: Api, upstream: FakeUpstream):
    upstream.answer_with(*[Answer.error(400, "bad")] * 5)
    for _ in range(5):
        await api.post("/api/chat", ASK)
    assert (await api.data("/readyz"))["upstream"] == "ok"
