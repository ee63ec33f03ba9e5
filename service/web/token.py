"""POST /api/token/refresh."""

from __future__ import annotations

from aiohttp import web

from service.domain.sessions import Session
from service.errors import Forbidden
from service.web.answers import TokenAnswer
from service.web.envelope import success
from service.web.identity import user_of
from service.web.keys import SESSIONS
from service.web.reading import SMALL_BYTES, read_json
from service.web.request_context import CONTEXT
from service.web.requests import RefreshRequest


async def post_refresh(request: web.Request) -> web.StreamResponse:
    asked = await read_json(request, RefreshRequest, most_bytes=SMALL_BYTES)
    session = await _session(request, asked)
    return success(TokenAnswer(token=session.token, refreshToken=session.refresh_token, expires_in=session.expires_in))


async def _session(request: web.Request, asked: RefreshRequest) -> Session:
    """A session for a refresh token; bare as in the seed only where no token is asked for."""
    sessions = request.app[SESSIONS]
    refresh_token = asked.refreshToken or request.headers.get("refreshToken", "")
    if refresh_token:
        return await sessions.refresh(refresh_token)
    if request[CONTEXT].settings.auth == "required":
        # Never 401: clients of the seed refresh on 401, and would come here again.
        raise Forbidden("refresh_refused")
    if asked.openid is not None:
        return await sessions.start(user_of(request, asked.openid))
    return await sessions.start_guest()
