"""Login: the code that wx.login gave to a client, exchanged for the openid behind it.

The session key that comes with it is not even decoded. What our own tokens look like is not known here.
"""

from __future__ import annotations

import logging
import re
from typing import Final

import msgspec

from service.clock import Clock
from service.errors import BadRequest, Forbidden, ServiceError, TooManyRequests, UpstreamError
from service.wechat.client import WeChatClient, WeChatError
from service.wechat.code_replay import CodeReplay

logger = logging.getLogger(__name__)

_PATH: Final = "/sns/jscode2session"
_OPENID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


class WeChatIdentity(msgspec.Struct, frozen=True):
    """Who a code belongs to. `unionid` is there when the account is bound to WeChat's open platform."""

    openid: str
    unionid: str | None = None

    def __repr__(self) -> str:
        return "WeChatIdentity(***)"


class _Session(msgspec.Struct):
    openid: str | None = None
    unionid: str | None = None


class WeChatLogin:
    """Tells who a login code belongs to."""

    def __init__(self, client: WeChatClient, clock: Clock) -> None:
        self._client = client
        self._replay: CodeReplay[WeChatIdentity] = CodeReplay(clock)

    async def code_to_session(self, code: str) -> WeChatIdentity:
        """Exchange a code; the same code again within five minutes gives the same identity.

        Raises BadRequest, Forbidden, TooManyRequests or UpstreamError, each ready to be shown.
        Source: https://developers.weixin.qq.com/miniprogram/dev/server/API/user-login/api_code2session
        """
        if not 1 <= len(code) <= 512 or not code.isprintable():
            raise BadRequest("invalid_field", field="code")
        if not self._client.configured:
            raise UpstreamError("login_not_configured")
        return await self._replay.once(code, lambda: self._ask(code))

    async def _ask(self, code: str) -> WeChatIdentity:
        query = {**self._client.credentials, "js_code": code, "grant_type": "authorization_code"}
        try:
            session = await self._client.get(_PATH, _Session, query)
            if not _OPENID.fullmatch(session.openid or ""):
                raise WeChatError("a session without an openid")
        except WeChatError as failure:
            raise _as_service_error(failure) from None
        return WeChatIdentity(openid=session.openid or "", unionid=session.unionid or None)


def _as_service_error(failure: WeChatError) -> ServiceError:
    match failure.errcode:
        case 40029 | 41008 | 42003:
            return BadRequest("login_code_invalid", field="code")
        case 40163:
            return BadRequest("login_code_used", field="code")
        case 40226:
            return Forbidden("login_blocked")
        case 45011:
            # The limit is by the minute.
            return TooManyRequests("rate_limited", retry_after_seconds=60)
    if failure.operator_must_act:
        logger.error("WeChat login does not work: %s", failure)
        return UpstreamError("login_misconfigured")
    logger.warning("WeChat login failed: %s", failure)
    return UpstreamError("login_unavailable", retryable=True)
