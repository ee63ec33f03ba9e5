"""The run of one turn: store the row, do the work, store the end. It is cancelled only while it works."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from service.clock import Clock, seconds_to_midnight
from service.domain import endings
from service.domain.audit import audit_of
from service.domain.pace import Pace
from service.domain.registry import Registry
from service.domain.running import RunningTurn
from service.domain.upstream_health import UpstreamHealth
from service.errors import IdempotencyMismatch, InternalError, ServiceError, TooManyRequests, Unavailable
from service.metrics import Metrics
from service.models import Quota, Status, Turn
from service.settings import Settings
from service.storage.turns import Opened, Settlement, TurnStore

_log = logging.getLogger(__name__)

Work = Callable[[RunningTurn], Awaitable[None]]
"""Asks the upstream and feeds the running turn; raises ServiceError when that fails."""


class TurnRunner:
    def __init__(
        self,
        store: TurnStore,
        registry: Registry,
        settings: Settings,
        clock: Clock,
        pace: Pace,
        metrics: Metrics,
        health: UpstreamHealth,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._health = health
        self._store = store
        self._registry = registry
        self._settings = settings
        self._quota = Quota(settings.daily_turns, settings.daily_tokens, settings.daily_images)
        self._clock = clock
        self._pace = pace
        self._metrics = metrics

    def start(self, turn: Turn, work: Work) -> RunningTurn:
        """Give the turn a task; whoever asks for it may go away. Raises as Registry.add."""
        running = self._registry.add(turn)
        running.task = self._loop.create_task(self._run(running, work))
        return running

    async def run(self, turn: Turn, work: Work, begun: Callable[[RunningTurn], None]) -> Turn:
        """Run the turn in the caller's own task until its end is stored: one task less, for whoever waits anyway.

        Cancelled, the turn ends as interrupted. Raises as Registry.add, and what the turn was refused for.
        """
        running = self._registry.add(turn)
        running.task = asyncio.current_task()
        begun(running)
        await self._run(running, work)
        if running.trouble is not None:
            raise running.trouble
        return running.turn

    async def _run(self, running: RunningTurn, work: Work) -> None:
        insisting, turn = False, running.turn  # which becomes another's, where its key was opened elsewhere
        try:
            if await self._store_start(running):
                status, error = await self._work(running, work)
                self._health.note(error)
                ended = endings.ended(running, status, error, self._clock.now_ms())
                insisting = not await self._store_end(running, *ended)
        finally:
            if not insisting:
                self._registry.remove(turn)

    async def _store_start(self, running: RunningTurn) -> bool:
        """Store the row; tell those who wait for it what became of it."""
        try:
            opened = await self._store.open(running.turn, self._quota)
            if opened == Opened.OVER_QUOTA:
                pause = seconds_to_midnight(self._clock.now_ms())
                raise TooManyRequests("quota_exceeded", retry_after_seconds=pause)
            if opened == Opened.DUPLICATE:
                running.end(await self._find_duplicate(running.turn))
                return False
        except ServiceError as error:
            running.trouble = error
        except Exception:
            _log.exception("the turn %s could not be opened", running.turn.turn_id)
            running.trouble = InternalError()
        running.stored = running.trouble is None
        running.tell()
        return running.stored

    async def _find_duplicate(self, turn: Turn) -> Turn:
        """The turn that another process has opened with the same key."""
        known = await self._store.find_by_key(turn.openid, turn.idempotency_key or "")
        if known is None or known.fingerprint != turn.fingerprint:
            raise IdempotencyMismatch
        return known

    async def _work(self, running: RunningTurn, work: Work) -> tuple[str, ServiceError | None]:
        """Do the work and say how it ended."""
        running.started_at = time.monotonic()
        try:
            if running.stop_status is None:
                running.working = True
                await work(running)
        except asyncio.CancelledError:
            running.stop_status = running.stop_status or Status.INTERRUPTED
            if running.task is not None:
                running.task.uncancel()
        except ServiceError as error:
            return Status.FAILED, error
        except Exception:
            _log.exception("the turn %s failed", running.turn.turn_id)
            return Status.FAILED, InternalError()
        finally:
            running.working = False
        return running.stop_status or Status.COMPLETED, running.stop_error

    async def _store_end(self, running: RunningTurn, closed: Turn, settlement: Settlement) -> bool:
        """Store the end; where it cannot be stored now, tell so and leave it to a task that insists."""
        self._count(running, closed)
        try:
            await self._store.close(closed, settlement, *audit_of(closed, self._settings))
        except Unavailable as error:
            running.task = self._loop.create_task(self._insist(running, closed, settlement))
            running.trouble = error
            running.tell()
            return False
        running.end(closed)
        return True

    async def _insist(self, running: RunningTurn, closed: Turn, settlement: Settlement) -> None:
        """Store the end, for as long as it takes: the answer is paid for."""
        pause = self._pace.store_retry_seconds
        stored = False
        try:
            while not stored:
                _log.error("the end of turn %s is not stored yet", closed.turn_id)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 30)
                with contextlib.suppress(Unavailable):
                    await self._store.close(closed, settlement, *audit_of(closed, self._settings))
                    stored = True
        finally:
            self._registry.remove(closed)
        running.end(closed)

    def _count(self, running: RunningTurn, closed: Turn) -> None:
        first = None if running.first_piece_at is None else running.first_piece_at - running.started_at
        whole = time.monotonic() - running.started_at
        self._metrics.count_turn(closed, first, whole)
