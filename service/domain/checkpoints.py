"""What is done to all running turns about once a second: keep their text, give up those that nobody wants."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from service.clock import Clock
from service.domain.pace import Pace
from service.domain.running import RunningTurn
from service.domain.turns import Turns
from service.errors import Unavailable
from service.storage.turns import Growth, TurnStore

_TURNS_AT_ONCE = 256  # bounds what one checkpoint takes in memory

_log = logging.getLogger(__name__)


async def keep_checkpoints(turns: Turns, store: TurnStore, clock: Clock, pace: Pace) -> None:
    """Look after the running turns until cancelled."""
    while True:
        await asyncio.sleep(pace.checkpoint_seconds)
        try:
            turns.stop_overdue()
            await _store_growth(turns.running, store, clock)
        except Unavailable:
            pass  # the store has told; the text is tried again
        except Exception:
            _log.exception("a checkpoint failed")


async def _store_growth(running: Iterable[RunningTurn], store: TurnStore, clock: Clock) -> None:
    """Store what has arrived since the last time, in one transaction for many turns."""
    grown = [turn for turn in running if turn.cursor != turn.saved and turn.stored]
    for start in range(0, len(grown), _TURNS_AT_ONCE):
        some = [(turn, turn.cursor) for turn in grown[start : start + _TURNS_AT_ONCE]]
        await store.grow([_growth(turn) for turn, _ in some], clock.now_ms())
        for turn, cursor in some:
            turn.saved = cursor


def _growth(running: RunningTurn) -> Growth:
    saved = running.saved
    return Growth(running.turn.turn_id, running.reply.since(saved.reply), running.reasoning.since(saved.reasoning))
