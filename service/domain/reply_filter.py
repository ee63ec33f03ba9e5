"""The content check of a reply on its way into the running turn: text is added once it has passed."""

from __future__ import annotations

import msgspec

from service.domain.endings import estimate_tokens
from service.domain.running import RunningTurn
from service.domain.safety import ContentCheck, ContentRefused, HeldText, hold
from service.models import Completion, Piece

RECALLED = "reply_recalled"


class ReplyFilter:
    """Feeds one running turn; with no check it hands on what it gets."""

    def __init__(self, running: RunningTurn, check: ContentCheck | None) -> None:
        self._running = running
        openid = running.turn.openid
        self._reply: HeldText | None = hold(check, openid=openid)
        self._reasoning: HeldText | None = hold(check, openid=openid)

    async def add(self, piece: Piece | Completion) -> None:
        """Take a piece. Raises ContentRefused after the reply was taken back, ServiceError for want of a verdict."""
        if self._reply is None or self._reasoning is None:
            self._running.add(piece)
            return
        # Refused, stopped or held back at the end: it was generated, and is paid for.
        self._running.usage = piece.usage or self._running.usage
        self._running.generated_tokens += estimate_tokens(piece.reply) + estimate_tokens(piece.reasoning)
        try:
            reply = await self._reply.feed(piece.reply)
            reasoning = await self._reasoning.feed(piece.reasoning)
        except ContentRefused:
            self._recall()
            raise
        self._running.add(msgspec.structs.replace(piece, reply=reply, reasoning=reasoning))

    async def finish(self) -> None:
        """Let go what was held. Raises as `add` does."""
        if self._reply is None or self._reasoning is None:
            return
        try:
            self._running.add(Piece(reply=await self._reply.finish(), reasoning=await self._reasoning.finish()))
        except ContentRefused:
            self._recall()
            raise

    def _recall(self) -> None:
        self._running.recall()
        self._running.notice = RECALLED
