"""An image turn: as many pictures as were asked for, by either of the upstream's ways, each of them stored."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Iterable, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from service.clock import Clock, day_of
from service.domain import context
from service.domain.audit import hash_of
from service.domain.file_writer import StoredFile
from service.domain.ids import IdMaker
from service.domain.pictures import Pictures
from service.domain.running import RunningTurn
from service.domain.safety import ContentCheck, require_allowed
from service.domain.turns import Turns
from service.errors import BadRequest, ServiceError, UpstreamError
from service.models import ChatAsk, ImageAsk, ImagePart, ImageUrl, Kind, Message, Picture, Status, TextPart, Turn
from service.settings import Settings
from service.upstream.client import UpstreamClient
from service.upstream.images import RemotePicture, draw
from service.upstream.pictures import find_pictures

PARTIAL = "images_partial"

T = TypeVar("T")


class ImageQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """A checked image request. Shape: `size` such as 1024x1024, empty where the client gave none."""

    openid: str
    prompt: str
    n: int = 1
    size: str = ""
    model: str | None = None
    references: tuple[str, ...] = ()
    idempotency_key: str | None = None


class Images:
    def __init__(
        self,
        turns: Turns,
        pictures: Pictures,
        check: ContentCheck | None,
        upstream: UpstreamClient,
        settings: Settings,
        clock: Clock,
        ids: IdMaker,
    ) -> None:
        self._check = check
        self._turns = turns
        self._pictures = pictures
        self._upstream = upstream
        self._settings = settings
        self._clock = clock
        self._ids = ids

    async def ask(self, question: ImageQuestion) -> RunningTurn | Turn:
        """Open the turn of a question, or find the one it has opened before.

        Raises: BadRequest for a model or a reference picture that cannot be used; as Turns.open.
        """
        model = question.model or self._default_model()
        if question.model and question.model not in (*self._settings.models, self._default_model()):
            raise BadRequest("model_not_allowed", field="model")
        question = msgspec.structs.replace(question, references=await self._adopt(question))
        turn = self._new_turn(question, model)
        return await self._turns.open(turn, partial(self._draw_all, question, model))

    def _default_model(self) -> str:
        by_chat = self._settings.openai_image_api == "chat"
        return self._settings.openai_image_model or (self._settings.openai_model if by_chat else "")

    async def _adopt(self, question: ImageQuestion) -> tuple[str, ...]:
        places = {f"images[{number}]": url for number, url in enumerate(question.references)}
        adopted = await self._pictures.adopt_all(places, question.openid)
        return tuple(adopted[url] for url in question.references)

    def _new_turn(self, question: ImageQuestion, model: str) -> Turn:
        now_ms = self._clock.now_ms()
        message = _message(question.prompt, question.references)
        fingerprint = hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(question, idempotency_key=None)))
        turn_id = self._ids.make(now_ms)
        return Turn(
            turn_id=turn_id,
            openid=question.openid,
            conversation_id=turn_id,
            kind=Kind.IMAGE,
            status=Status.RUNNING,
            messages=msgspec.json.encode([message]).decode(),
            model=model,
            title=context.title_of([message]),
            idempotency_key=question.idempotency_key,
            fingerprint=fingerprint.hexdigest() if question.idempotency_key else "",
            reserved_images=question.n,
            day=day_of(now_ms),
            created_at=now_ms,
            updated_at=now_ms,
        )

    async def _draw_all(self, question: ImageQuestion, model: str, running: RunningTurn) -> None:
        """Ask for all at once, then side by side for what one call did not give; a part is a success that is told."""
        failure: ServiceError | None = None
        if self._check is not None:
            await require_allowed(self._check, [question.prompt], openid=question.openid, field="prompt")
        try:
            await self._draw(question, model, running, question.n)
        except UpstreamError as error:
            # Some models draw one picture a call and refuse to be asked for more.
            if question.n == 1 or error.type != "upstream_rejected":
                raise
            failure = error
        missing = question.n - len(running.pictures)
        _, later = await _settled(self._draw(question, model, running, 1) for _ in range(missing))
        if not running.pictures:
            raise later or failure or UpstreamError("no_picture", retryable=True)
        if len(running.pictures) < question.n:
            running.notice = PARTIAL

    async def _draw(self, question: ImageQuestion, model: str, running: RunningTurn, n: int) -> None:
        """Make one call and store what it gives; a picture that cannot be had does not spoil the others."""
        draw_by = self._draw_by_chat if self._settings.openai_image_api == "chat" else self._draw_by_images
        found, failure = await _settled(await draw_by(question, model, running, n))
        if failure is not None and not found:
            raise failure
        room = question.n - len(running.pictures)
        running.pictures += tuple(found[:room])

    async def _draw_by_images(
        self, question: ImageQuestion, model: str, running: RunningTurn, n: int
    ) -> Iterable[Awaitable[Picture]]:
        references = [await self._pictures.inline(url) for url in question.references]
        ask = ImageAsk(
            prompt=question.prompt,
            user=hash_of(question.openid),
            model=model,
            n=n,
            size=question.size or "1024x1024",
            references=tuple(references),
        )
        drawn = await draw(self._upstream, ask, self._pictures.new_file)
        return [self._keep(picture, question.openid) for picture in drawn]

    async def _keep(self, picture: StoredFile | RemotePicture, openid: str) -> Picture:
        if isinstance(picture, RemotePicture):
            return await self._pictures.bring(picture.url, openid)
        return await self._pictures.own(picture, openid)

    async def _draw_by_chat(
        self, question: ImageQuestion, model: str, running: RunningTurn, n: int
    ) -> Iterable[Awaitable[Picture]]:
        prompt = f"{question.prompt}\n\n{question.size}" if question.size else question.prompt
        references = [await self._pictures.inline(url) for url in question.references]
        messages = msgspec.json.encode([_message(prompt, references)])
        ask = ChatAsk(model=model, messages=msgspec.Raw(messages), user=hash_of(question.openid))
        answer = await self._upstream.complete(ask)
        running.count(answer.usage)
        urls = list(dict.fromkeys((*answer.images, *find_pictures(answer.reply))))
        if not urls:
            raise UpstreamError("no_picture", retryable=True)
        return [self._pictures.bring(url, question.openid) for url in urls[: question.n]]


async def _settled(work: Iterable[Awaitable[T]]) -> tuple[list[T], ServiceError | None]:
    """What came of each, side by side, and the last failure. Raises what is no ServiceError."""
    values: list[T] = []
    failure: ServiceError | None = None
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, ServiceError):
            failure = result
        elif isinstance(result, BaseException):
            raise result
        else:
            values.append(result)
    return values, failure


def _message(prompt: str, references: Sequence[str]) -> Message:
    if not references:
        return Message("user", prompt)
    return Message("user", [TextPart(prompt), *(ImagePart(ImageUrl(url)) for url in references)])
