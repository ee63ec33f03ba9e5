"""A chat turn: what is asked, with what context, and how the answer comes in."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from functools import partial

import msgspec

from service.clock import Clock, day_of
from service.domain import context
from service.domain.audit import hash_of
from service.domain.endings import estimate_tokens
from service.domain.ids import IdMaker
from service.domain.picture_parts import has_parts
from service.domain.pictures import Pictures
from service.domain.reply_filter import RECALLED, ReplyFilter
from service.domain.running import RunningTurn
from service.domain.safety import ContentCheck, ContentRefused, require_allowed
from service.domain.turn_runner import Work
from service.domain.turns import Turns
from service.errors import BadRequest, NotFound
from service.models import ChatAsk, Kind, Message, Status, Turn
from service.settings import Settings
from service.storage.turns import TurnStore
from service.upstream.client import UpstreamClient
from service.upstream.failures import ContextTooLong
from service.upstream.pictures import find_pictures

SHORTENED = "context_shortened"
_encode = msgspec.json.Encoder().encode


class Question(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A checked chat request. `streamed` asks the upstream for a stream, so that a part can be shown."""

    openid: str
    messages: list[Message]
    model: str | None = None
    conversation_id: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    idempotency_key: str | None = None
    streamed: bool = False


class Chat:
    def __init__(
        self,
        turns: Turns,
        store: TurnStore,
        pictures: Pictures,
        check: ContentCheck | None,
        upstream: UpstreamClient,
        settings: Settings,
        clock: Clock,
        ids: IdMaker,
    ) -> None:
        self._pictures = pictures
        self._check = check
        self._turns = turns
        self._store = store
        self._upstream = upstream
        self._settings = settings
        self._models = settings.models
        self._clock = clock
        self._ids = ids

    async def ask(self, question: Question) -> RunningTurn | Turn:
        """Open the turn of a question, or find the one it has opened before.

        Raises: BadRequest for a model that is not offered; NotFound for an unknown conversation; as Turns.open.
        """
        return await self._turns.open(*await self._begin(question))

    async def answer(self, question: Question, begun: Callable[[RunningTurn], None]) -> Turn:
        """The ended turn of a question, run in the caller's task. Raises as `ask`; as Turns.run."""
        return await self._turns.run(*await self._begin(question), begun)

    async def _begin(self, question: Question) -> tuple[Turn, Work]:
        """The turn of a question, and the work that it is."""
        model = question.model or self._settings.openai_model
        if model not in self._models:
            raise BadRequest("model_not_allowed", field="model")
        if has_parts(question.messages):
            adopted = await self._pictures.adopt_messages(question.messages, question.openid)
            question = msgspec.structs.replace(question, messages=adopted)
        remembered = await self._remember(question) if question.conversation_id else []
        messages = context.assemble(self._settings.system_prompt, remembered, question.messages)
        return self._new_turn(question, model), partial(self._answer, question, messages)

    async def _remember(self, question: Question) -> list[Message]:
        limit = max(1, self._settings.context_turns)
        stored = await self._store.list_page(question.openid, limit=limit, conversation_id=question.conversation_id)
        if not stored:
            raise NotFound("conversation_not_found", field="conversation_id")
        return context.remembered(stored[: self._settings.context_turns], self._settings.context_chars)

    def _new_turn(self, question: Question, model: str) -> Turn:
        now_ms = self._clock.now_ms()
        messages = _encode(question.messages).decode()
        turn_id = self._ids.make(now_ms)
        return Turn(
            turn_id=turn_id,
            openid=question.openid,
            conversation_id=question.conversation_id or turn_id,  # a conversation is named after its first turn
            kind=Kind.CHAT,
            status=Status.RUNNING,
            messages=messages,
            model=model,
            title=context.title_of(question.messages),
            idempotency_key=question.idempotency_key,
            fingerprint=_fingerprint(question) if question.idempotency_key else "",
            reserved_tokens=self._reservation(question, messages),
            day=day_of(now_ms),
            created_at=now_ms,
            updated_at=now_ms,
        )

    def _reservation(self, question: Question, messages: str) -> int:
        if not self._settings.daily_tokens:
            return 0
        return estimate_tokens(messages) + (question.max_tokens or 0)

    async def _answer(self, question: Question, messages: list[Message], running: RunningTurn) -> None:
        try:
            if self._check is not None:
                texts = [message.text for message in question.messages]
                await require_allowed(self._check, texts, openid=question.openid)
            await self._relay(question, messages, running)
        except ContentRefused:
            if running.notice != RECALLED:
                raise
            running.finish_reason = "content_filter"
            return
        except ContextTooLong:
            fewer = context.shortened(messages)
            if fewer is None:
                raise
            running.notice = SHORTENED
            await self._relay(question, fewer, running)
        links = dict.fromkeys((*running.links, *find_pictures(str(running.reply), shown_only=True)))
        if links:
            running.pictures = await self._pictures.bring_all(list(links), question.openid)

    async def _relay(self, question: Question, messages: list[Message], running: RunningTurn) -> None:
        reply = ReplyFilter(running, self._check)
        if question.streamed:  # what is asked is nobody's but the upstream client's, which lets go of it
            await self._upstream.stream(await self._told(question, messages, running.turn.model), reply.add)
            await asyncio.sleep(0)  # the readers first: their last pieces do not wait for the disk
        else:
            await reply.add(await self._upstream.complete(await self._told(question, messages, running.turn.model)))
        await reply.finish()

    async def _told(self, question: Question, messages: list[Message], model: str) -> ChatAsk:
        if has_parts(messages):
            messages = await self._pictures.inline_messages(messages)
        return ChatAsk(
            model=model,
            messages=msgspec.Raw(_encode(messages)),
            user=hash_of(question.openid),
            temperature=question.temperature,
            top_p=question.top_p,
            max_tokens=question.max_tokens,
        )


def _fingerprint(question: Question) -> str:
    """What makes two requests with one key the same: all that changes the answer, not how it is delivered."""
    same = msgspec.structs.replace(question, idempotency_key=None, streamed=False)
    return hashlib.sha256(_encode(same)).hexdigest()
