"""What is done to all running turns about once a second: keep their text, give up those that nobody wants."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from service.clock import Clock
from service.domain.pace import Pace
from service.domain.running import Cursor, RunningTurn
from service.errors import Unavailable
from service.storage.turns import Growth, TurnStore

_log = logging.getLogger(__name__)


async def keep_checkpoints(
    store: TurnStore, list_running: Callable[[], Iterable[RunningTurn]], clock: Clock, pace: Pace
) -> None:
    """Store what has arrived since the last time, in one transaction for all turns; runs until cancelled."""
    while True:
        await asyncio.sleep(pace.checkpoint_seconds)
        grown = [(running, running.cursor) for running in list_running() if running.cursor != running.saved]
        if grown:
            try:
                await store.grow([_growth(running) for running, _ in grown], clock.now_ms())
            except Unavailable:
                continue  # the store has told; the text is tried again
            for running, cursor in grown:
                running.saved = cursor


def _growth(running: RunningTurn) -> Growth:
    saved: Cursor = running.saved
    return Growth(running.turn.turn_id, running.reply.since(saved.reply), running.reasoning.since(saved.reasoning))
