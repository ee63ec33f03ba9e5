"""A fake WeChat, a client of it, and a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from service.settings import Settings
from service.wechat.client import WeChatClient, open_wechat
from tests.fakes.wechat import FakeWeChat


class StillClock:
    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms

    def pass_seconds(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
async def wechat() -> AsyncIterator[FakeWeChat]:
    async with FakeWeChat() as fake:
        yield fake


@pytest.fixture
async def client(wechat: FakeWeChat) -> AsyncIterator[WeChatClient]:
    async with open_wechat(Settings.from_mapping(wechat.variables), timeout_seconds=5) as client:
        yield client
