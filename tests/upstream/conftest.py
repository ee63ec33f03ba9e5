from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest

from service.models import ChatAsk
from service.settings import Settings
from service.upstream.client import UpstreamClient
from tests.fakes.upstream import FakeUpstream
from tests.upstream.reading import ReplyTo, streamed_reply, whole_reply

KEY = "sk-planted-key-4711"

MakeClient = Callable[..., Awaitable[UpstreamClient]]

on_both_ways = pytest.mark.parametrize("transport", ["direct", "session"], indirect=True)


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as fake:
        yield fake


@pytest.fixture
def pauses() -> list[float]:
    """The pauses before retries, in seconds: nobody really waits for them."""
    return []


@pytest.fixture
def transport(request: pytest.FixtureRequest) -> str:
    """How answers are asked for: the default way, but for tests `on_both_ways`."""
    return getattr(request, "param", Settings().upstream_transport)


@pytest.fixture(params=[whole_reply, streamed_reply], ids=["whole", "streamed"])
def reply_to(request: pytest.FixtureRequest) -> ReplyTo:
    """Asks a question in both ways that there are, and gives the text of the answer."""
    given: ReplyTo = request.param
    return given


@pytest.fixture
async def make_client(upstream: FakeUpstream, pauses: list[float], transport: str) -> AsyncIterator[MakeClient]:
    """Make an open client of the fake upstream; settings by name. Chance is always in the middle."""

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async with AsyncExitStack() as stack:

        async def make(**settings: Any) -> UpstreamClient:
            given = {"openai_base_url": upstream.base_url, "openai_api_key": KEY, "upstream_transport": transport}
            values = given | settings
            client = UpstreamClient(Settings(**values), sleep=sleep, chance=lambda: 0.5)
            await client.open()
            stack.push_async_callback(client.close)
            return client

        yield make


@pytest.fixture
async def client(make_client: MakeClient) -> UpstreamClient:
    return await make_client()


@pytest.fixture
def ask() -> ChatAsk:
    messages = msgspec.Raw('[{"role":"user","content":"你好"}]'.encode())
    return ChatAsk(model="gpt-4o-all", messages=messages, user="a-hash")
