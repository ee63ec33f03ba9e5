"""A user's profile."""

from __future__ import annotations

from aiohttp import web

from service.clock import day_of
from service.models import User
from service.settings import Settings
from service.web.answers import DeletedAnswer, UsageCounts, UsageSummary, UserAnswer
from service.web.envelope import success
from service.web.identity import user_of
from service.web.keys import ACCOUNTS, CLOCK
from service.web.reading import SMALL_BYTES, read_json
from service.web.request_context import CONTEXT
from service.web.requests import ProfileRequest


async def get_user(request: web.Request) -> web.StreamResponse:
    openid = user_of(request, request.match_info["openid"])
    return success(_shape(request, await request.app[ACCOUNTS].get(openid)))


async def post_user(request: web.Request) -> web.StreamResponse:
    openid = user_of(request, request.match_info["openid"])
    asked = await read_json(request, ProfileRequest, most_bytes=SMALL_BYTES)
    user = await request.app[ACCOUNTS].change(openid, nickname=asked.nickname, avatar=asked.avatar, email=asked.email)
    return success(_shape(request, user))


async def post_erase(request: web.Request) -> web.StreamResponse:
    openid = user_of(request, request.match_info["openid"])
    return success(DeletedAnswer(await request.app[ACCOUNTS].erase(openid)))


def _shape(request: web.Request, user: User) -> UserAnswer:
    settings: Settings = request[CONTEXT].settings
    is_today = user.day == day_of(request.app[CLOCK].now_ms())
    today = UsageCounts(user.day_turns, user.day_tokens, user.day_images) if is_today else UsageCounts(0, 0, 0)
    return UserAnswer(
        openid=user.openid,
        nickname=user.nickname,
        avatar=user.avatar,
        email=user.email,
        created_at=user.created_at,
        last_seen_at=user.last_seen_at,
        usage=UsageSummary(today, UsageCounts(user.total_turns, user.total_tokens, user.total_images)),
        quota=UsageCounts(settings.daily_turns, settings.daily_tokens, settings.daily_images),
    )
