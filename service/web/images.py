"""POST /api/image."""

from __future__ import annotations

from aiohttp import web

from service.domain.images import ImageQuestion
from service.web.idempotency import key_of
from service.web.identity import user_of
from service.web.keys import IMAGES
from service.web.limits import count_user
from service.web.reading import read_json
from service.web.requests import ImageRequest
from service.web.turns import answer_image

_DEFAULT_WAIT_SECONDS = 50.0  # mini-programs give up at 60
_NOBODY = "anonymous"  # the seed's call names no user


async def post_image(request: web.Request) -> web.StreamResponse:
    asked = await read_json(request, ImageRequest)
    openid = user_of(request, asked.openid, default=_NOBODY)
    count_user(request, openid)
    question = ImageQuestion(
        openid=openid,
        prompt=asked.prompt,
        n=asked.n or 1,
        size=asked.size or "",
        model=asked.model,
        references=tuple(asked.images or ()),
        idempotency_key=key_of(request, asked.client_id),
    )
    turn = await request.app[IMAGES].ask(question)
    wait = 0 if asked.asynchronous else asked.wait or _DEFAULT_WAIT_SECONDS
    return await answer_image(request, turn, wait, asked.response_format)
