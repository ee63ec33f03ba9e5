"""A turn as an event stream (https://html.spec.whatwg.org/multipage/server-sent-events.html).

The cursor in `id:` is a place in the row's text, so a stream can go on from the store as well as from a running turn.
JSON is ASCII: no proxy that cuts bytes anew can break a character. An event is one write.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from json.encoder import encode_basestring_ascii as quoted

import msgspec
from aiohttp import web

from service.domain.endings import failure_of
from service.domain.reply_filter import RECALLED
from service.domain.running import Cursor, RunningTurn
from service.domain.watch import Watch, wait_until_stored
from service.errors import InternalError, ServiceError
from service.models import Turn
from service.web.envelope import failure_envelope
from service.web.keys import PACE
from service.web.request_context import CONTEXT
from service.web.turn_answers import chat_answer

_log = logging.getLogger(__name__)

_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}
_PING = b": ping\n\n"
_EVENT_CHARACTERS = 16_384
_ROOM_BYTES = 32 << 10  # half of what a transport takes before it asks its writer to wait


async def stream_turn(
    request: web.Request, found: RunningTurn | Turn, cursor: Cursor, wait: float | None
) -> web.StreamResponse:
    """Answer with the turn's events after the cursor, until it ends or `wait` seconds are over."""
    if isinstance(found, RunningTurn):
        await wait_until_stored(found)  # what it is refused for is an envelope
        found = found.turn if found.ended else found
    response = web.StreamResponse(headers=_HEADERS)
    await response.prepare(request)
    stream = EventStream(request, response, cursor)
    try:
        await stream.start(found.turn if isinstance(found, RunningTurn) else found)
        if isinstance(found, RunningTurn):
            await stream.follow(found, wait)
        else:
            await stream.replay(found)
        await response.write_eof()
    except ServiceError as error:
        await stream.fail(error)
    except ConnectionError:
        pass  # the reader is gone
    except TimeoutError:
        # The reader has taken nothing for long: it can attach again, its buffer is freed now.
        if request.transport is not None:
            request.transport.abort()
    except Exception:
        # A second response must not follow into the body of the first.
        _log.exception("request %s failed in its stream", request[CONTEXT].request_id)
        await stream.fail(InternalError())
    return response


class EventStream:
    """One reader's stream. `cursor` is what it has been sent so far."""

    def __init__(self, request: web.Request, response: web.StreamResponse, cursor: Cursor) -> None:
        self._request = request
        self._response = response
        self._cursor = cursor
        self._loop = asyncio.get_running_loop()
        self._pace = request.app[PACE]

    async def start(self, turn: Turn) -> None:
        told = {"turn_id": turn.turn_id, "conversation_id": turn.conversation_id, "model": turn.model}
        await self._write(_event("start", told))

    async def follow(self, running: RunningTurn, wait: float | None) -> None:
        """Send what comes as it comes. Raises: ServiceError; TimeoutError when the reader is stuck."""
        deadline = None if wait is None else self._loop.time() + wait
        with Watch(running) as watch:
            while not running.ended:
                if running.trouble is not None:
                    raise running.trouble
                quiet = not await self._send_new(running)
                if quiet and not running.ended:
                    if deadline is not None and self._loop.time() >= deadline:
                        await self._write(_event("continue", {"after": str(self._cursor)}))
                        return
                    await self._wait(watch, running, deadline)
        await self.replay(running.turn)

    async def replay(self, turn: Turn) -> None:
        """Send the rest of a turn that has ended. Raises: ServiceError, the turn's own failure."""
        if turn.notice == RECALLED and self._cursor != Cursor():
            await self._write(_event("recall", {"reason": "content_filter"}))
        for event in self._rest(turn.reply[self._cursor.reply :], turn.reasoning[self._cursor.reasoning :]):
            await self._write(event)
        failure = failure_of(turn)
        if failure is not None:
            failure.details["turn_id"] = turn.turn_id
            raise failure
        await self._write(_event("done", msgspec.to_builtins(await chat_answer(self._request, turn))))

    async def fail(self, error: ServiceError) -> None:
        """Tell a failure in the stream, and end it."""
        envelope = failure_envelope(self._request, error)
        await self._write(b"event: error\ndata: %s\n\n" % _compact(envelope._asdict()))
        await self._response.write_eof()

    async def _send_new(self, running: RunningTurn) -> bool:
        """Send what has come since the cursor; False where nothing has."""
        sent = False
        cursor = self._cursor
        for event in self._rest(running.reply.since(cursor.reply), running.reasoning.since(cursor.reasoning)):
            await self._write(event)
            sent = True
        return sent

    def _rest(self, reply: str, reasoning: str) -> Iterator[bytes]:
        """The texts as events of bounded size; moves the cursor."""
        for start in range(0, len(reasoning), _EVENT_CHARACTERS):
            yield self._text_event("reasoning", b"reasoning", reasoning[start : start + _EVENT_CHARACTERS])
        for start in range(0, len(reply), _EVENT_CHARACTERS):
            yield self._text_event("delta", b"delta", reply[start : start + _EVENT_CHARACTERS])

    def _text_event(self, name: str, field: bytes, text: str) -> bytes:
        cursor = self._cursor
        if name == "delta":
            self._cursor = Cursor(cursor.reply + len(text), cursor.reasoning)
        else:
            self._cursor = Cursor(cursor.reply, cursor.reasoning + len(text))
        return b'id: %s\nevent: %s\ndata: {"code":0,"msg":"ok","data":{"%s":%s}}\n\n' % (
            str(self._cursor).encode(),
            field,
            field,
            quoted(text).encode(),
        )

    async def _wait(self, watch: Watch, running: RunningTurn, deadline: float | None) -> None:
        """Wait for news; after a silence say that the line is alive."""
        silence = self._loop.time() + self._pace.ping_seconds
        await watch.changed(silence if deadline is None else min(silence, deadline))
        if self._loop.time() >= silence and running.cursor == self._cursor and not running.ended:
            await self._write(_PING)

    async def _write(self, data: bytes) -> None:
        transport = self._request.transport
        if len(data) < _ROOM_BYTES and transport is not None and not transport.get_write_buffer_size():
            await self._response.write(data)  # there is room for it: nothing to wait for
            return
        async with asyncio.timeout(self._pace.write_timeout_seconds):
            await self._response.write(data)


def _event(name: str, data: object) -> bytes:
    envelope = {"code": 0, "msg": "ok", "data": data}
    return b"event: %s\ndata: %s\n\n" % (name.encode(), _compact(envelope))


def _compact(envelope: object) -> bytes:
    return json.dumps(envelope, separators=(",", ":")).encode("ascii")
