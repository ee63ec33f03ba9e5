"""A chat turn: what is asked, with what context, and how the answer comes in."""

from __future__ import annotations

import hashlib
from functools import partial

import msgspec

from service.clock import Clock, day_of
from service.domain import context
from service.domain.audit import hash_of
from service.domain.endings import estimate_tokens
from service.domain.ids import IdMaker
from service.domain.pictures import Pictures
from service.domain.reply_filter import RECALLED, ReplyFilter
from service.domain.running import RunningTurn
from service.domain.safety import ContentCheck, ContentRefused, require_allowed
from service.domain.turns import Turns
from service.errors import BadRequest, NotFound
from service.models import ChatAsk, Kind, Message, Status, Turn
from service.settings import Settings
from service.storage.turns import TurnStore
from service.upstream.client import UpstreamClient
from service.upstream.failures import ContextTooLong
from service.upstream.pictures import find_pictures

SHORTENED = "context_shortened"
_NOTHING = msgspec.Raw(b"[]")


class Question(msgspec.Struct, frozen=True, kw_only=True):
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
        check: ContentCheck,
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
        self._clock = clock
        self._ids = ids

    async def ask(self, question: Question) -> RunningTurn | Turn:
        """Open the turn of a question, or find the one it has opened before.

        Raises: BadRequest for a model that is not offered; NotFound for an unknown conversation; as Turns.open.
        """
        model = question.model or self._settings.openai_model
        if model not in self._settings.models:
            raise BadRequest("model_not_allowed", field="model")
        adopted = await self._pictures.adopt_messages(question.messages, question.openid)
        question = msgspec.structs.replace(question, messages=adopted)
        stored = await self._list_stored(question)
        remembered = context.remembered(stored, self._settings.context_chars)
        messages = context.assemble(self._settings.system_prompt, remembered, question.messages)
        ask = ChatAsk(
            model=model,
            messages=_NOTHING,
            user=hash_of(question.openid),
            temperature=question.temperature,
            top_p=question.top_p,
            max_tokens=question.max_tokens,
        )
        return await self._turns.open(self._new_turn(question, model), partial(self._answer, ask, messages, question))

    async def _list_stored(self, question: Question) -> list[Turn]:
        if question.conversation_id is None:
            return []
        limit = max(1, self._settings.context_turns)
        stored = await self._store.list_page(question.openid, limit=limit, conversation_id=question.conversation_id)
        if not stored:
            raise NotFound("conversation_not_found", field="conversation_id")
        return stored[: self._settings.context_turns]

    def _new_turn(self, question: Question, model: str) -> Turn:
        now_ms = self._clock.now_ms()
        messages = msgspec.json.encode(question.messages).decode()
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

    async def _answer(self, ask: ChatAsk, messages: list[Message], question: Question, running: RunningTurn) -> None:
        try:
            await require_allowed(self._check, [message.text for message in question.messages], openid=question.openid)
            await self._relay(ask, messages, question, running)
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
            await self._relay(ask, fewer, question, running)
        links = dict.fromkeys((*running.links, *find_pictures(str(running.reply), shown_only=True)))
        if links:
            running.pictures = await self._pictures.bring_all(list(links), question.openid)

    async def _relay(self, ask: ChatAsk, messages: list[Message], question: Question, running: RunningTurn) -> None:
        reply = ReplyFilter(running, self._check)
        if question.streamed:  # what is asked is nobody's but the upstream client's, which lets go of it
            await self._upstream.stream(await self._told(ask, messages), reply.add)
        else:
            await reply.add(await self._upstream.complete(await self._told(ask, messages)))
        await reply.finish()

    async def _told(self, ask: ChatAsk, messages: list[Message]) -> ChatAsk:
        told = msgspec.json.encode(await self._pictures.inline_messages(messages))
        return msgspec.structs.replace(ask, messages=msgspec.Raw(told))


def _fingerprint(question: Question) -> str:
    """What makes two requests with one key the same: all that changes the answer, not how it is delivered."""
    same = msgspec.structs.replace(question, idempotency_key=None, streamed=False)
    return hashlib.sha256(msgspec.json.encode(same)).hexdigest()
