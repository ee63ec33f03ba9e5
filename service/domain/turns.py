"""The life of every turn: opened once, run to its end whoever watches, stopped, drained, found again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from service.clock import Clock
from service.domain import endings
from service.domain.audit import audit_of
from service.domain.registry import Registry
from service.domain.running import RunningTurn
from service.domain.turn_runner import TurnRunner, Work
from service.domain.watch import wait_for_end
from service.errors import IdempotencyMismatch, NotFound, ServiceError, UpstreamError
from service.models import Status, Turn
from service.settings import Settings
from service.storage.turns import TurnStore


class Turns:
    """The turns that run in this process, and the way to all others."""

    def __init__(
        self, store: TurnStore, registry: Registry, runner: TurnRunner, settings: Settings, clock: Clock
    ) -> None:
        self._store = store
        self._registry = registry
        self._runner = runner
        self._settings = settings
        self._clock = clock

    @property
    def running(self) -> Registry:
        return self._registry

    async def open(self, turn: Turn, work: Work) -> RunningTurn | Turn:
        """Begin the turn, or give the one that its idempotency key has opened before.

        Its row is not stored yet: to wait for that, or for the end, tells what it was refused for.
        Raises: IdempotencyMismatch; TooManyRequests for too many at once; Unavailable.
        """
        return await self._find_replay(turn) or self._runner.start(turn, work)

    async def run(self, turn: Turn, work: Work, begun: Callable[[RunningTurn], None]) -> Turn:
        """Run the turn to its end in the caller's task, or wait for the one that its key has opened before.

        Shape: `begun` is given the turn at once, if this call runs it.
        Raises: as `open`, and what the turn was refused for; Unavailable when its end cannot be stored for now.
        """
        known = await self._find_replay(turn)
        if known is None:
            return await self._runner.run(turn, work, begun)
        if isinstance(known, RunningTurn):
            await wait_for_end(known, None)
            return known.turn
        return known

    async def get(self, turn_id: str, openid: str | None) -> RunningTurn | Turn:
        """The turn, running or stored; with an openid only that user's.

        Raises: NotFound.
        """
        found = await _find(lambda: self._registry.find(turn_id), lambda: self._store.find(turn_id))
        turn = found.turn if isinstance(found, RunningTurn) else found
        if found is None or turn is None or (openid is not None and turn.openid != openid):
            raise NotFound("turn_not_found")
        return found

    async def stop(self, turn_id: str, openid: str | None) -> Turn:
        """Cancel the upstream call, keep what came of it; a turn that has ended stays as it is."""
        found = await self.get(turn_id, openid)
        if isinstance(found, Turn):
            return found
        found.stop(Status.STOPPED)
        await wait_for_end(found, None)
        return found.turn

    async def stop_user(self, openid: str, conversation_id: str | None = None) -> None:
        """Stop all that a user has running and wait for it."""
        mine = [
            running
            for running in self._registry
            if running.turn.openid == openid and conversation_id in (None, running.turn.conversation_id)
        ]
        await asyncio.gather(*map(_end_now, mine))

    def stop_overdue(self) -> None:
        """Stop the turns that take longer than MAX_TURN_SECONDS, and those that nobody has come back for."""
        longest, patience = self._settings.max_turn_seconds, self._settings.abandon_after_seconds
        now = time.monotonic()
        for running in self._registry:
            if running.working and now - running.started_at > longest:
                running.stop(Status.FAILED, UpstreamError("upstream_timeout", retryable=True))
            elif patience and running.unwatched_since is not None and now - running.unwatched_since > patience:
                running.stop(Status.STOPPED)

    async def drain(self, grace_seconds: float) -> None:
        """Take no more turns, give those that run the time to end, then interrupt them."""
        self._registry.closed = True
        await self._wait_for_all(grace_seconds)
        for running in self._registry:
            running.stop(Status.INTERRUPTED)
        await self._wait_for_all(5)

    async def _wait_for_all(self, seconds: float) -> None:
        """Wait for the tasks that run turns, and for those that take over from them."""
        until = time.monotonic() + seconds
        while tasks := [running.task for running in self._registry if running.task and not running.task.done()]:
            left_seconds = until - time.monotonic()
            if left_seconds <= 0:
                break
            await asyncio.wait(tasks, timeout=left_seconds)

    async def recover(self) -> int:
        """Close, as interrupted, the turns that a crash has left running; returns how many."""
        left = await self._store.list_running()
        for turn in left:
            closed, settlement = endings.interrupted(turn, self._clock.now_ms())
            await self._store.close(closed, settlement, *audit_of(closed, self._settings))
        return len(left)

    async def _find_replay(self, turn: Turn) -> RunningTurn | Turn | None:
        """The turn that was opened with the same key, if any.

        Raises: IdempotencyMismatch when that was for another payload.
        """
        if turn.idempotency_key is None:
            return None
        key = (turn.openid, turn.idempotency_key)
        known = await _find(lambda: self._registry.find_by_key(*key), lambda: self._store.find_by_key(*key))
        first = known.turn if isinstance(known, RunningTurn) else known
        if first is not None and first.fingerprint != turn.fingerprint:
            raise IdempotencyMismatch
        return known


async def _end_now(running: RunningTurn) -> None:
    running.stop(Status.STOPPED)
    try:
        await wait_for_end(running, None)
    except ServiceError:
        if running.stored:  # what was refused is no turn
            raise


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
