"""A turn as its answer: the chat answer, the image answer, and what they share."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from msgspec import UNSET

from service.errors import ServiceError
from service.messages import NOTICES
from service.models import Status, Turn
from service.web.answers import ChatAnswer, ErrorAnswer, ImageAnswer, UsageAnswer
from service.web.envelope import language_of
from service.web.pictures import list_links, list_shown, reply_of
from service.web.request_context import CONTEXT


async def chat_answer(request: web.Request, turn: Turn, **more: Any) -> ChatAnswer:
    """A turn as the contract's chat answer."""
    links = list_links(request, turn)
    return ChatAnswer(
        reply=reply_of(request, turn) if links else turn.reply,
        turn_id=turn.turn_id,
        conversation_id=turn.conversation_id,
        status=turn.status,
        finish_reason=turn.finish_reason,
        model=turn.model,
        usage=_usage(turn),
        reasoning=turn.reasoning or UNSET,
        images=(await list_shown(request, turn)) if links else UNSET,
        download_links=links or UNSET,
        notice=_notice(request, turn) or UNSET,
        **more,
    )


async def image_answer(request: web.Request, turn: Turn, response_format: str | None) -> ImageAnswer:
    """A turn as the contract's image answer: while it runs, with the id to ask for it again."""
    return ImageAnswer(
        images=await list_shown(request, turn, response_format),
        download_links=list_links(request, turn),
        turn_id=turn.turn_id,
        status=turn.status,
        finish_reason=turn.finish_reason,
        taskId=turn.turn_id if turn.status == Status.RUNNING else UNSET,
        notice=_notice(request, turn) or UNSET,
    )


def error_answer(request: web.Request, failure: ServiceError) -> ErrorAnswer:
    retryable = bool(failure.details.get("retryable"))
    return ErrorAnswer(failure.code, failure.type, failure.message(language_of(request)), retryable)


def _usage(turn: Turn) -> UsageAnswer:
    given = turn.prompt_tokens is not None or turn.completion_tokens is not None
    total = (turn.prompt_tokens or 0) + (turn.completion_tokens or 0) if given else None
    return UsageAnswer(turn.prompt_tokens, turn.completion_tokens, total)


def _notice(request: web.Request, turn: Turn) -> str:
    """What is said beside the answer, and that it was made by AI where the operator wants that said."""
    always = request[CONTEXT].settings.ai_notice
    if turn.notice is None:
        return always
    chinese, english = NOTICES[turn.notice]
    told = english if language_of(request) == "en" else chinese
    return f"{told}\n{always}" if always else told
