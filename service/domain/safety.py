"""Content safety: what is asked of a check, before a turn and while its reply arrives.

It knows neither how a check decides nor how text reaches a client.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from service.domain.safety_wechat import WeChatCheck
from service.domain.safety_words import WordList
from service.errors import BadRequest, StartError
from service.settings import Settings
from service.wechat.content_check import WeChatContentCheck


class ContentRefused(BadRequest):
    """A text did not pass. Before a turn it is the answer; during a reply it means `content_filter` and `recall`."""

    default_type = "content_refused"


class Scan(Protocol):
    """One text, checked while it arrives in pieces."""

    async def feed(self, text: str) -> int | None:
        """Take the next piece. Shape: how many characters at the end are still unsettled; None is refused."""

    async def finish(self) -> bool:
        """Settle the rest; False is refused."""


class ContentCheck(Protocol):
    async def allows(self, text: str, *, openid: str) -> bool:
        """Whether a whole text passes. Raises ServiceError when that cannot be told."""

    def scan(self, *, openid: str) -> Scan | None:
        """Begin a text that arrives in pieces; None when every text passes anyway."""


class HeldText:
    """Holds back a text that arrives in pieces until what it says has passed.

    Everything that `feed` and `finish` give, joined, is the text that was fed. Once refused it stays refused.
    """

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self._held = ""
        self._refused = False

    async def feed(self, text: str) -> str:
        """Take a piece, give what may be shown now. Raises ContentRefused, or ServiceError for want of a verdict."""
        self._held += text
        unsettled = None if self._refused else await self._scan.feed(text)
        if unsettled is None:
            self._refuse()
        cut = len(self._held) - (unsettled or 0)
        released, self._held = self._held[:cut], self._held[cut:]
        return released

    async def finish(self) -> str:
        """Give the rest. Raises as `feed` does."""
        if self._refused or not await self._scan.finish():
            self._refuse()
        released, self._held = self._held, ""
        return released

    def _refuse(self) -> None:
        self._refused = True
        self._held = ""
        raise ContentRefused


def hold(check: ContentCheck | None, *, openid: str) -> HeldText | None:
    """Begin to hold a reply; None when there is nothing to hold it for."""
    scan = check.scan(openid=openid) if check is not None else None
    return HeldText(scan) if scan is not None else None


async def require_allowed(check: ContentCheck, texts: Iterable[str], *, openid: str, field: str = "messages") -> None:
    """Refuse a request whose texts do not pass, all asked about at once. Raises ContentRefused, ServiceError."""
    if not await check.allows("\n".join(texts), openid=openid):
        raise ContentRefused(field=field)


def make_content_check(settings: Settings, wechat: WeChatContentCheck) -> ContentCheck | None:
    """Make the check that CONTENT_CHECK names, None for none. Raises StartError where what it needs is missing."""
    match settings.content_check:
        case "words":
            if not settings.content_words_file:
                raise StartError("CONTENT_CHECK=words needs CONTENT_WORDS_FILE, a file with one word a line.")
            return WordList.from_file(Path(settings.content_words_file))
        case "wechat":
            if not (settings.wechat_appid and settings.wechat_secret):
                raise StartError("CONTENT_CHECK=wechat needs WECHAT_APPID and WECHAT_SECRET.")
            return WeChatCheck(wechat, fail_open=settings.content_check_fail == "open")
        case _:
            return None
