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
    """Store what has arrived since the last time, in one transaction for all turns."""
    grown = [(turn, turn.cursor) for turn in running if turn.cursor != turn.saved and turn.opened.done()]
    if grown:
        await store.grow([_growth(turn) for turn, _ in grown], clock.now_ms())
    for turn, cursor in grown:
        turn.saved = cursor


def _growth(running: RunningTurn) -> Growth:
    saved = running.saved
    return Growth(running.turn.turn_id, running.reply.since(saved.reply), running.reasoning.since(saved.reasoning))
