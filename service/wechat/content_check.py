"""Whether WeChat lets a text pass (msg_sec_check, version 2).

What is done when WeChat gives no verdict, and with a text that does not pass, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from service.clock import Clock
from service.wechat.access_token import AccessToken
from service.wechat.client import WeChatClient, WeChatError
from service.wechat.errcodes import TOKEN_REFUSED

_PATH: Final = "/wxa/msg_sec_check"
_SCENE_COMMENT: Final = 2

WINDOW_CHARS: Final = 2500
OVERLAP_CHARS: Final = 100
"""Windows share this much, so that a phrase across a border is whole in one of them."""


class _Result(msgspec.Struct):
    suggest: str


class _Verdict(msgspec.Struct):
    result: _Result


class WeChatContentCheck:
    """Asks for a verdict, with a token of its own.

    Source: https://developers.weixin.qq.com/miniprogram/dev/server/API/sec-center/sec-check/api_msgseccheck
    """

    def __init__(self, client: WeChatClient, clock: Clock) -> None:
        self._client = client
        self._token = AccessToken(client, clock)

    async def passes(self, text: str, *, openid: str) -> bool:
        """Whether every window of the text passes.

        Shape: `openid` is a user's who opened the mini-program within two hours; WeChat judges for nobody else.
        Raises WeChatError when there is no verdict: quota, timeout, such an openid.
        """
        for window in windows(text):
            if not await self._window_passes(window, openid):
                return False
        return True

    async def _window_passes(self, window: str, openid: str) -> bool:
        token = await self._token.get()
        try:
            return await self._ask(token, window, openid)
        except WeChatError as failure:
            if failure.errcode not in TOKEN_REFUSED:
                raise
        return await self._ask(await self._token.replace(token), window, openid)

    async def _ask(self, token: str, window: str, openid: str) -> bool:
        # A lone surrogate has no UTF-8.
        content = window.encode("utf-8", "replace").decode()
        body = {"content": content, "version": 2, "scene": _SCENE_COMMENT, "openid": openid}
        verdict = await self._client.post(_PATH, _Verdict, {"access_token": token}, body)
        # `review` asks for a person's eye, and nobody sits behind this service: it does not pass, like `risky`.
        return verdict.result.suggest == "pass"


def windows(text: str) -> Iterator[str]:
    """Cut a text into overlapping windows, without the blank ones: WeChat does not judge an empty text."""
    step = WINDOW_CHARS - OVERLAP_CHARS
    for start in range(0, max(len(text) - OVERLAP_CHARS, 1), step):
        window = text[start : start + WINDOW_CHARS]
        if window.strip():
            yield window
