"""POST /api/chat."""

from __future__ import annotations

from aiohttp import web

from service.domain.chat import Question
from service.domain.running import Cursor, RunningTurn
from service.models import Turn
from service.web.event_stream import stream_turn
from service.web.idempotency import key_of
from service.web.identity import user_of
from service.web.keys import CHAT
from service.web.limits import count_user
from service.web.reading import read_json
from service.web.request_context import CONTEXT
from service.web.requests import ChatRequest
from service.web.turns import answer_chat


async def post_chat(request: web.Request) -> web.StreamResponse:
    turn, stream, wait = await _ask(request)
    if stream:
        return await stream_turn(request, turn, Cursor(), wait)
    return await answer_chat(request, turn, wait)


async def _ask(request: web.Request) -> tuple[RunningTurn | Turn, bool, float | None]:
    """Open the turn that is asked for; the question is let go with this call, while its answer may take long."""
    asked = await read_json(request, ChatRequest)
    openid = user_of(request, asked.openid)
    count_user(request, openid)
    question = Question(
        openid=openid,
        messages=asked.messages,
        model=asked.model,
        conversation_id=asked.conversation_id,
        temperature=asked.temperature,
        top_p=asked.top_p,
        max_tokens=asked.max_tokens,
        idempotency_key=key_of(request, asked.client_id),
        streamed=bool(asked.stream) or asked.wait is not None,
    )
    if question.streamed:
        return await request.app[CHAT].ask(question), bool(asked.stream), asked.wait

    context = request[CONTEXT]

    def stay(running: RunningTurn) -> None:  # the turn is in our hands: it goes on when the client leaves
        context.on_leave = running.attend()

    try:
        return await request.app[CHAT].answer(question, stay), False, None
    finally:
        context.on_leave = None  # the turn leads to our task, and that to all of this: a circle
