"""History, conversations, and clearing them."""

from __future__ import annotations

import msgspec
from aiohttp import web
from msgspec import UNSET

from service.models import Turn
from service.web.answers import (
    ConversationItem,
    ConversationsAnswer,
    DeletedAnswer,
    HistoryAnswer,
    HistoryItem,
)
from service.web.envelope import success
from service.web.identity import user_of
from service.web.keys import HISTORY
from service.web.pictures import list_links, messages_of, reply_of
from service.web.reading import read_json, read_query
from service.web.requests import ClearRequest, HistoryQuery


async def get_history(request: web.Request) -> web.StreamResponse:
    openid = user_of(request, request.match_info["openid"])
    query = read_query(request, HistoryQuery)
    page = await request.app[HISTORY].page(
        openid, limit=query.limit, before=query.before, conversation_id=query.conversation_id
    )
    return success(HistoryAnswer([_item(request, turn) for turn in page.items], page.next))


async def get_conversations(request: web.Request) -> web.StreamResponse:
    openid = user_of(request, request.match_info["openid"])
    query = read_query(request, HistoryQuery)
    page = await request.app[HISTORY].conversations(openid, limit=query.limit, before=query.before)
    found = [ConversationItem(item.conversation_id, item.title, item.turns, item.updated_at) for item in page.items]
    return success(ConversationsAnswer(found, page.next))


async def post_clear(request: web.Request) -> web.StreamResponse:
    openid = user_of(request, request.match_info["openid"])
    asked = await read_json(request, ClearRequest)
    return success(DeletedAnswer(await request.app[HISTORY].clear(openid, asked.conversation_id)))


def _item(request: web.Request, turn: Turn) -> HistoryItem:
    return HistoryItem(
        messages=msgspec.Raw(messages_of(request, turn)),
        reply=reply_of(request, turn),
        time=turn.created_at,
        turn_id=turn.turn_id,
        conversation_id=turn.conversation_id,
        status=turn.status,
        kind=turn.kind,
        finish_reason=turn.finish_reason,
        images=list_links(request, turn) or UNSET,
    )
