"""GET /api/turns/{turn_id} and its stop; and how the request that opened a turn is answered."""

from __future__ import annotations

from aiohttp import web
from msgspec import UNSET

from service.domain.endings import failure_of
from service.domain.running import Cursor, RunningTurn
from service.domain.watch import wait_for_end
from service.models import Turn
from service.web.envelope import success
from service.web.event_stream import stream_turn
from service.web.identity import owner_of
from service.web.keys import TURNS
from service.web.reading import read_query
from service.web.requests import TurnQuery
from service.web.turn_answers import chat_answer, error_answer, image_answer


async def get_turn(request: web.Request) -> web.StreamResponse:
    query = read_query(request, TurnQuery)
    turn = await request.app[TURNS].get(request.match_info["turn_id"], owner_of(request))
    if query.stream:
        return await stream_turn(request, turn, _cursor(request, query), query.wait)
    return await _tell(request, await _settled(turn, query.wait or 0))


async def post_stop(request: web.Request) -> web.StreamResponse:
    return await _tell(request, await request.app[TURNS].stop(request.match_info["turn_id"], owner_of(request)))


async def answer_chat(request: web.Request, found: RunningTurn | Turn, wait: float | None) -> web.StreamResponse:
    """The turn after its end, or after `wait` seconds. Raises: ServiceError, the turn's own failure."""
    turn = await _settled(found, wait)
    raise_failure(turn)
    return success(await chat_answer(request, turn))


async def answer_image(
    request: web.Request, found: RunningTurn | Turn, wait: float, response_format: str | None
) -> web.StreamResponse:
    """As `answer_chat`, in the shape of POST /api/image."""
    turn = await _settled(found, wait)
    raise_failure(turn)
    return success(await image_answer(request, turn, response_format))


def raise_failure(turn: Turn) -> None:
    """Raise what the turn failed of, if it did."""
    failure = failure_of(turn)
    if failure is not None:
        failure.details["turn_id"] = turn.turn_id
        raise failure


async def _tell(request: web.Request, turn: Turn) -> web.StreamResponse:
    """The turn as it is; its failure is a part of it."""
    failure = failure_of(turn)
    error = error_answer(request, failure) if failure else UNSET
    return success(await chat_answer(request, turn, time=turn.created_at, error=error))


async def _settled(found: RunningTurn | Turn, wait: float | None) -> Turn:
    if isinstance(found, Turn):
        return found
    await wait_for_end(found, wait)
    return found.snapshot()


def _cursor(request: web.Request, query: TurnQuery) -> Cursor:
    after = query.after or request.headers.get("Last-Event-ID", "")
    return Cursor.parse(after) if after else Cursor()
