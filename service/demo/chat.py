"""POST /v1/chat/completions of the demo: the question out of the body, the reply whole or as a stream.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

import msgspec
from aiohttp import web

from service.demo.pictures import picture_url
from service.demo.replies import Question, Reply, compose
from service.demo.wire import PAUSE, Pause, answer, error_document, failure

_FAILURE = "The demo upstream fails here on purpose, because you asked it to."


class _ImageUrl(msgspec.Struct):
    url: str


class _Part(msgspec.Struct):
    type: str
    text: str = ""
    image_url: _ImageUrl | None = None


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None

    @property
    def parts(self) -> list[_Part]:
        return self.content if isinstance(self.content, list) else [_Part("text", self.content or "")]


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


class _ChatRequest(msgspec.Struct):
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    model: str = "gpt-4o-all"
    stream: bool = False
    stream_options: _StreamOptions | None = None


@dataclass(frozen=True, slots=True)
class _Completion:
    """One answer on the wire: the id, model and time that all its documents bear."""

    request: _ChatRequest
    reply: Reply
    completion_id: str
    created: int

    def document(self, kind: str, choices: list[object], **more: object) -> dict[str, object]:
        name = {"id": self.completion_id, "object": kind, "created": self.created, "model": self.request.model}
        return {**name, "choices": choices, **more}

    def chunk(self, finish_reason: str | None = None, **delta: str) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return _event(self.document("chat.completion.chunk", [choice]))

    def usage(self) -> dict[str, int]:
        asked = sum(_tokens(part.text) for message in self.request.messages for part in message.parts)
        answered = _tokens("".join(self.reply.reasoning) + "".join(self.reply.pieces))
        return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}


async def complete(request: web.Request) -> web.StreamResponse:
    """Answer a chat completion."""
    asked = msgspec.json.decode(await request.read(), type=_ChatRequest)
    reply = compose(_question(asked), lambda prompt: picture_url(request, prompt))
    completion = _Completion(asked, reply, f"chatcmpl-{secrets.token_hex(12)}", int(time.time()))
    pause = request.app[PAUSE]
    if not asked.stream:
        return await _whole(completion, pause)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    async for event in _events(completion, pause):
        await response.write(event)
    return response


def _question(asked: _ChatRequest) -> Question:
    spoken = [message for message in asked.messages if message.role == "user"] or asked.messages
    parts = spoken[-1].parts
    return Question(
        text="\n".join(part.text for part in parts if part.type == "text"),
        images=[part.image_url.url for part in parts if part.image_url],
        messages=len(asked.messages),
    )


async def _whole(completion: _Completion, pause: Pause) -> web.Response:
    reply = completion.reply
    if reply.fails:
        return failure(500, _FAILURE)
    await pause(reply.seconds_a_piece * (len(reply.reasoning) + len(reply.pieces)))
    message = {"role": "assistant", "content": "".join(reply.pieces)}
    if reply.reasoning:
        message["reasoning_content"] = "".join(reply.reasoning)
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return answer(completion.document("chat.completion", [choice], usage=completion.usage()))


async def _events(completion: _Completion, pause: Pause) -> AsyncIterator[bytes]:
    reply = completion.reply
    yield completion.chunk(role="assistant", content="")
    for piece in reply.reasoning:
        await pause(reply.seconds_a_piece)
        yield completion.chunk(reasoning_content=piece)
    for piece in reply.pieces:
        await pause(reply.seconds_a_piece)
        yield completion.chunk(content=piece)
    if reply.fails:
        yield _event(error_document(_FAILURE, "server_error"))
        return
    yield completion.chunk(finish_reason="stop")
    options = completion.request.stream_options
    if options and options.include_usage:
        yield _event(completion.document("chat.completion.chunk", [], usage=completion.usage()))
    yield b"data: [DONE]\n\n"


def _event(document: object) -> bytes:
    return b"data: " + msgspec.json.encode(document) + b"\n\n"


def _tokens(text: str) -> int:
    """About what a tokenizer would count: three bytes of UTF-8 are a Chinese character or most of an English word."""
    return (len(text.encode()) + 2) // 3
