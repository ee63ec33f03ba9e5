"""Waiting on a running turn: for its next change, or for its end."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from service.domain.running import RunningTurn


class Watch:
    """One watcher of a running turn, as a context manager.

    A change wakes it, or only the end or trouble; and so does the time that it is given.
    """

    __slots__ = ("_loop", "_only_end", "_running", "_waiter", "_woken")

    def __init__(self, running: RunningTurn, *, only_end: bool = False) -> None:
        self._running = running
        self._only_end = only_end
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._woken = False

    def __enter__(self) -> Self:
        self._running.watch(self._on_change)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._running.unwatch(self._on_change)

    async def changed(self, until: float | None) -> None:
        """Wait for a change since the last call, or until the loop's time `until`."""
        if not self._woken:
            self._waiter = self._loop.create_future()
            timer = self._loop.call_at(until, self._wake) if until is not None else None
            try:
                await self._waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        self._woken = False

    def _on_change(self) -> None:
        if not self._only_end or self._running.ended or self._running.trouble is not None:
            self._wake()

    def _wake(self) -> None:
        self._woken = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def wait_until_stored(running: RunningTurn) -> None:
    """Wait until the turn's row is there. Raises: what it was refused for."""
    if running.stored:
        return
    with Watch(running) as watch:
        while not (running.stored or running.ended):
            if running.trouble is not None:
                raise running.trouble
            await watch.changed(None)


async def wait_for_end(running: RunningTurn, seconds: float | None) -> None:
    """Wait until the turn's end is stored, or for so long, but at least until its row is there.

    Raises: what it was refused for; Unavailable when the end cannot be stored for now.
    """
    loop = asyncio.get_running_loop()
    until = None if seconds is None else loop.time() + seconds
    if until is not None:
        await wait_until_stored(running)
    with Watch(running, only_end=True) as watch:
        while not running.ended and (until is None or until > loop.time()):
            if running.trouble is not None:
                raise running.trouble
            await watch.changed(until)
