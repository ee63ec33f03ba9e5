"""GET /api/turns/{turn_id} and its stop; and how any turn is answered in JSON."""

from __future__ import annotations

from aiohttp import web
from msgspec import UNSET

from service.domain.endings import failure_of
from service.domain.running import Cursor, RunningTurn
from service.domain.watch import wait_for_end
from service.errors import ServiceError
from service.models import Turn
from service.web.answers import ErrorAnswer, chat_answer
from service.web.envelope import language_of, success
from service.web.event_stream import stream_turn
from service.web.identity import owner_of
from service.web.keys import TURNS
from service.web.reading import read_query
from service.web.requests import TurnQuery


async def get_turn(request: web.Request) -> web.StreamResponse:
    query = read_query(request, TurnQuery)
    turn = await request.app[TURNS].get(request.match_info["turn_id"], owner_of(request))
    if query.stream:
        return await stream_turn(request, turn, _cursor(request, query), query.wait)
    return await tell_turn(request, turn, query.wait)


async def post_stop(request: web.Request) -> web.StreamResponse:
    turn = await request.app[TURNS].stop(request.match_info["turn_id"], owner_of(request))
    return await tell_turn(request, turn, None)


async def answer_turn(request: web.Request, found: RunningTurn | Turn, wait: float | None) -> web.Response:
    """The answer to the request that opened the turn: it waits for the end, and a failed turn is a failure."""
    turn = await _settled(found, wait)
    failure = failure_of(turn)
    if failure is not None:
        failure.details["turn_id"] = turn.turn_id
        raise failure
    return success(chat_answer(turn))


async def tell_turn(request: web.Request, found: RunningTurn | Turn, wait: float | None) -> web.Response:
    """The turn as it is, after waiting for its end for so long: its failure is told as a part of it."""
    turn = await _settled(found, wait or 0)
    failure = failure_of(turn)
    error = error_answer(request, failure) if failure else UNSET
    return success(chat_answer(turn, time=turn.created_at, error=error))


def error_answer(request: web.Request, failure: ServiceError) -> ErrorAnswer:
    retryable = bool(failure.details.get("retryable"))
    return ErrorAnswer(failure.code, failure.type, failure.message(language_of(request)), retryable)


async def _settled(found: RunningTurn | Turn, wait: float | None) -> Turn:
    if isinstance(found, Turn):
        return found
    await wait_for_end(found, wait)
    return found.snapshot()


def _cursor(request: web.Request, query: TurnQuery) -> Cursor:
    after = query.after or request.headers.get("Last-Event-ID", "")
    return Cursor.parse(after) if after else Cursor()
