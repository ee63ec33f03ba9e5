"""POST /api/login: a code of wx.login for a session."""

from __future__ import annotations

from aiohttp import web

from service.web.answers import LoginAnswer
from service.web.envelope import success
from service.web.keys import ACCOUNTS, SESSIONS, WECHAT_LOGIN
from service.web.reading import SMALL_BYTES, read_json
from service.web.requests import LoginRequest


async def post_login(request: web.Request) -> web.StreamResponse:
    asked = await read_json(request, LoginRequest, most_bytes=SMALL_BYTES)
    identity = await request.app[WECHAT_LOGIN].code_to_session(asked.code)
    is_new = await request.app[ACCOUNTS].see(identity.openid)
    session = await request.app[SESSIONS].start(identity.openid)
    return success(
        LoginAnswer(
            openid=session.openid,
            token=session.token,
            refreshToken=session.refresh_token,
            expires_in=session.expires_in,
            is_new=is_new,
        )
    )
