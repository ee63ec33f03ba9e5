"""The life of every turn: opened once, run to its end whoever watches, stopped, drained, found again."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable

from service.clock import Clock, seconds_to_midnight
from service.domain import endings
from service.domain.audit import entry_of
from service.domain.pace import Pace
from service.domain.running import RunningTurn
from service.domain.watch import wait_for_end
from service.errors import (
    IdempotencyMismatch,
    InternalError,
    NotFound,
    ServiceError,
    TooManyRequests,
    Unavailable,
    UpstreamError,
)
from service.metrics import Metrics
from service.models import Quota, Status, Turn
from service.settings import Settings
from service.storage.turns import Opened, Settlement, TurnStore

_log = logging.getLogger(__name__)

Work = Callable[[RunningTurn], Awaitable[None]]
"""Asks the upstream and feeds the running turn; raises ServiceError when that fails."""


class Turns:
    """The turns that run in this process, and the way to all others."""

    def __init__(self, store: TurnStore, settings: Settings, clock: Clock, pace: Pace, metrics: Metrics) -> None:
        self._metrics = metrics
        self._store = store
        self._settings = settings
        self._clock = clock
        self._pace = pace
        self._quota = Quota(settings.daily_turns, settings.daily_tokens, settings.daily_images)
        self._by_id: dict[str, RunningTurn] = {}
        self._by_key: dict[tuple[str, str], RunningTurn] = {}
        self._per_user: Counter[str] = Counter()
        self.stopping = False

    @property
    def running(self) -> list[RunningTurn]:
        return list(self._by_id.values())

    async def open(self, turn: Turn, work: Work) -> RunningTurn | Turn:
        """Store the turn and start its work, or give the turn that its idempotency key has opened before.

        Raises: IdempotencyMismatch; TooManyRequests for concurrency and quota; Unavailable.
        """
        known = await self._find_replay(turn)
        if known is not None:
            return known
        self._check_room(turn.openid)
        running = self._register(turn)
        running.task = asyncio.create_task(self._run(running, work))
        return await _opened(running)

    async def _find_replay(self, turn: Turn) -> RunningTurn | Turn | None:
        """The turn that was opened with the same key, if any.

        Raises: IdempotencyMismatch when that was for another payload.
        """
        if turn.idempotency_key is None:
            return None
        key = (turn.openid, turn.idempotency_key)
        known = await _find(lambda: self._by_key.get(key), lambda: self._store.find_by_key(*key))
        if known is None:
            return None
        first = known.turn if isinstance(known, RunningTurn) else known
        if first.fingerprint != turn.fingerprint:
            raise IdempotencyMismatch
        return await _opened(known) if isinstance(known, RunningTurn) else known

    async def get(self, turn_id: str, openid: str | None) -> RunningTurn | Turn:
        """The turn, running or stored; with an openid only that user's.

        Raises: NotFound.
        """
        found = await _find(lambda: self._by_id.get(turn_id), lambda: self._store.find(turn_id))
        turn = found.turn if isinstance(found, RunningTurn) else found
        if found is None or turn is None or (openid is not None and turn.openid != openid):
            raise NotFound("turn_not_found")
        return found

    async def stop(self, turn_id: str, openid: str | None) -> Turn:
        """Cancel the upstream call, keep what came of it; a turn that has ended stays as it is."""
        found = await self.get(turn_id, openid)
        if isinstance(found, Turn):
            return found
        _cancel(found, Status.STOPPED)
        await wait_for_end(found, None)
        return found.turn

    async def stop_user(self, openid: str, conversation_id: str | None = None) -> None:
        """Stop all that a user has running and wait for it."""
        mine = [
            running.turn.turn_id
            for running in self.running
            if running.turn.openid == openid and conversation_id in (None, running.turn.conversation_id)
        ]
        await asyncio.gather(*(self.stop(turn_id, openid) for turn_id in mine))

    async def drain(self, grace_seconds: float) -> None:
        """Take no more turns, give those that run the time to end, then interrupt them."""
        self.stopping = True
        tasks = [running.task for running in self.running if running.task]
        if tasks:
            await asyncio.wait(tasks, timeout=grace_seconds)
        for running in self.running:
            _cancel(running, Status.INTERRUPTED)
        for running in self.running:
            if running.task:
                await asyncio.wait([running.task], timeout=5)

    async def recover(self) -> int:
        """Close, as interrupted, the turns that a crash has left running; returns how many."""
        left = await self._store.list_running()
        for turn in left:
            closed, settlement = endings.interrupted(turn, self._clock.now_ms())
            await self._store.close(closed, settlement)
        return len(left)

    def give_up_unwatched(self) -> None:
        """Stop the turns that nobody has watched for ABANDON_AFTER_SECONDS."""
        patience = self._settings.abandon_after_seconds
        now = asyncio.get_running_loop().time()
        for running in self.running if patience else ():
            if running.unwatched_since is not None and now - running.unwatched_since > patience:
                _cancel(running, Status.STOPPED)

    def _check_room(self, openid: str) -> None:
        if self.stopping:
            raise Unavailable("stopping")
        if len(self._by_id) >= self._settings.max_turns:
            raise Unavailable("overloaded")
        if self._per_user[openid] >= self._settings.max_turns_per_user:
            raise TooManyRequests("too_many_turns", retry_after_seconds=5)

    def _register(self, turn: Turn) -> RunningTurn:
        running = RunningTurn(turn)
        self._by_id[turn.turn_id] = running
        self._per_user[turn.openid] += 1
        if turn.idempotency_key is not None:
            self._by_key[turn.openid, turn.idempotency_key] = running
        return running

    def _unregister(self, turn: Turn) -> None:
        del self._by_id[turn.turn_id]
        self._per_user[turn.openid] -= 1
        if not self._per_user[turn.openid]:
            del self._per_user[turn.openid]
        if turn.idempotency_key is not None:
            del self._by_key[turn.openid, turn.idempotency_key]

    async def _run(self, running: RunningTurn, work: Work) -> None:
        """The task of one turn. It is cancelled only while it works, never while it stores."""
        try:
            if await self._store_start(running):
                status, error = await self._work(running, work)
                await self._store_end(running, *endings.ended(running, status, error, self._clock.now_ms()))
        finally:
            self._unregister(running.turn)

    async def _store_start(self, running: RunningTurn) -> bool:
        """Store the row; tell those who wait for it what became of it."""
        try:
            opened = await self._store.open(running.turn, self._quota)
            if opened is Opened.OVER_QUOTA:
                pause = seconds_to_midnight(self._clock.now_ms())
                raise TooManyRequests("quota_exceeded", retry_after_seconds=pause)
            other = await self._find_duplicate(running.turn) if opened is Opened.DUPLICATE else None
        except ServiceError as error:
            running.opened.set_exception(error)
            running.opened.exception()  # seen: the one who asked may be gone
            return False
        running.opened.set_result(other)
        return other is None

    async def _find_duplicate(self, turn: Turn) -> Turn:
        """The turn that another process has opened with the same key."""
        known = await self._store.find_by_key(turn.openid, turn.idempotency_key or "")
        if known is None or known.fingerprint != turn.fingerprint:
            raise IdempotencyMismatch
        return known

    async def _work(self, running: RunningTurn, work: Work) -> tuple[str, ServiceError | None]:
        """Do the work and say how it ended."""
        started = asyncio.get_running_loop().time()
        try:
            if running.stop_status is None:
                running.working = True
                async with asyncio.timeout(self._settings.max_turn_seconds):
                    await work(running)
        except asyncio.CancelledError:
            if running.stop_status is None or running.task is None:
                raise
            running.task.uncancel()
        except TimeoutError:
            return Status.FAILED, UpstreamError("upstream_timeout")
        except ServiceError as error:
            return Status.FAILED, error
        except Exception:
            _log.exception("the turn %s failed", running.turn.turn_id)
            return Status.FAILED, InternalError()
        finally:
            running.working = False
            self._time_upstream(running, started)
        return running.stop_status or Status.COMPLETED, None

    async def _store_end(self, running: RunningTurn, closed: Turn, settlement: Settlement) -> None:
        """Store the end, for as long as it takes: the answer is paid for."""
        audit = [entry_of(closed).step] if self._settings.audit_days else []
        pause = self._pace.store_retry_seconds
        while True:
            try:
                await self._store.close(closed, settlement, *audit)
                break
            except Unavailable as error:
                running.trouble = error
                running.tell()
                _log.error("the end of turn %s is not stored yet", closed.turn_id)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 30)
        self._metrics.count_turn(closed.kind, closed.status, closed.prompt_tokens, closed.completion_tokens)
        running.end(closed)

    def _time_upstream(self, running: RunningTurn, started: float) -> None:
        first = None if running.first_piece_at is None else running.first_piece_at - started
        self._metrics.time_upstream(running.turn.kind, first, asyncio.get_running_loop().time() - started)


async def _find(
    find_running: Callable[[], RunningTurn | None], find_stored: Callable[[], Awaitable[Turn | None]]
) -> RunningTurn | Turn | None:
    """The turn where it runs, else its row; it may begin or end while the row is read."""
    stored = None
    for _ in range(2):
        if running := find_running():
            return running
        stored = await find_stored()
        if stored is None or stored.status != Status.RUNNING:
            break
    return find_running() or stored


async def _opened(running: RunningTurn) -> RunningTurn | Turn:
    """Wait until the row is stored. A gone client does not undo it: the turn is the server's."""
    return await asyncio.shield(running.opened) or running


def _cancel(running: RunningTurn, status: str) -> None:
    if running.stop_status is None:
        running.stop_status = status
        if running.working and running.task:
            running.task.cancel()
