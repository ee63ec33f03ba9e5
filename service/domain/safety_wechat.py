"""The content check that asks WeChat, and what holds when WeChat gives no verdict (CONTENT_CHECK_FAIL)."""

from __future__ import annotations

import logging
from typing import Final

from service.errors import TooLarge, UpstreamError
from service.wechat.client import WeChatError
from service.wechat.content_check import OVERLAP_CHARS, WINDOW_CHARS, WeChatContentCheck

logger = logging.getLogger(__name__)

WHOLE_TEXT_LIMIT_CHARS: Final = 100_000
"""42 windows. More in one request would let one user spend the account's 4,000 checks a minute."""

FIRST_STEP_CHARS: Final = 200
"""So much is asked about first, then twice as much each time: a reply shows early, and a long one takes few checks."""


class WeChatCheck:
    """Lets pass what WeChat lets pass."""

    def __init__(self, wechat: WeChatContentCheck, *, fail_open: bool) -> None:
        self._wechat = wechat
        self._fail_open = fail_open

    async def allows(self, text: str, *, openid: str) -> bool:
        """Raises TooLarge, or UpstreamError when there is no verdict and the check fails closed."""
        if len(text) > WHOLE_TEXT_LIMIT_CHARS:
            raise TooLarge("content_too_long", limit_chars=WHOLE_TEXT_LIMIT_CHARS)
        try:
            return await self._wechat.passes(text, openid=openid)
        except WeChatError as failure:
            level = logging.ERROR if failure.operator_must_act else logging.WARNING
            logger.log(level, "WeChat gave no verdict on a text: %s", failure)
        if self._fail_open:
            return True
        raise UpstreamError("content_check_unavailable", retryable=True)

    def scan(self, *, openid: str) -> WindowScan:
        return WindowScan(self, openid)


class WindowScan:
    """One text, asked about in steps.

    The end of what passed is held on to and asked about again with what follows it, so that no half of a phrase shows.
    """

    def __init__(self, check: WeChatCheck, openid: str) -> None:
        self._check = check
        self._openid = openid
        self._unsettled = ""
        self._passed_chars = 0
        self._step_chars = FIRST_STEP_CHARS

    async def feed(self, text: str) -> int | None:
        self._unsettled += text
        while len(self._unsettled) - self._passed_chars >= self._step_chars:
            window = self._unsettled[:WINDOW_CHARS]
            if not await self._check.allows(window, openid=self._openid):
                return None
            self._unsettled = self._unsettled[len(window) - OVERLAP_CHARS :]
            self._passed_chars = OVERLAP_CHARS
            self._step_chars = min(2 * self._step_chars, WINDOW_CHARS - OVERLAP_CHARS)
        return len(self._unsettled)

    async def finish(self) -> bool:
        everything_passed = len(self._unsettled) == self._passed_chars
        return everything_passed or await self._check.allows(self._unsettled, openid=self._openid)
