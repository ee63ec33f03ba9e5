"""What a user has asked before."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from service.domain.turns import Turns
from service.models import Turn
from service.storage.turns import PAGE_CHARS, Conversation, TurnStore

T = TypeVar("T")


class Page(NamedTuple, Generic[T]):
    """`next` goes into `before` for the page that follows; None at the end."""

    items: list[T]
    next: str | None


class History:
    def __init__(self, turns: Turns, store: TurnStore) -> None:
        self._turns = turns
        self._store = store

    async def page(self, openid: str, *, limit: int, before: str, conversation_id: str | None) -> Page[Turn]:
        """A page of turns: the newest before `before`, oldest first within the page."""
        found = await self._store.list_page(openid, limit=limit + 1, before=before, conversation_id=conversation_id)
        page = found[:limit]
        # A page that ends for its length has a next one, too; that may turn out empty.
        more = len(found) > limit or sum(len(turn.reply) + len(turn.messages) for turn in page) >= PAGE_CHARS
        return Page(page[::-1], page[-1].turn_id if more else None)

    async def conversations(self, openid: str, *, limit: int, before: str) -> Page[Conversation]:
        """A page of conversations, the last one used first."""
        found = await self._store.list_conversations(openid, limit=limit + 1, before=before)
        page = found[:limit]
        more = len(found) > limit
        return Page(page, page[-1].last_turn_id if more else None)

    async def clear(self, openid: str, conversation_id: str | None) -> int:
        """Delete a user's turns, the running ones after stopping them; returns how many."""
        await self._turns.stop_user(openid, conversation_id)
        return await self._store.delete(openid, conversation_id)
