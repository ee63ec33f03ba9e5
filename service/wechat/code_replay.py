"""A login code that comes again gives the identity again, though WeChat takes each code once.

Phones repeat a request whose answer was lost, and pages start two logins at once. It knows nothing of WeChat's call.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, NamedTuple, TypeVar

from service.clock import Clock

KEEP_SECONDS: Final = 300
LIMIT: Final = 10_000

T = TypeVar("T")


class _Entry(NamedTuple, Generic[T]):
    task: asyncio.Task[T]
    until_ms: int


class CodeReplay(Generic[T]):
    """Remembers what the latest codes gave: bounded in number and time, keyed by hash, failures forgotten at once."""

    def __init__(self, clock: Clock, *, keep_seconds: int = KEEP_SECONDS, limit: int = LIMIT) -> None:
        self._clock = clock
        self._keep_ms = keep_seconds * 1000
        self._limit = limit
        self._entries: OrderedDict[bytes, _Entry[T]] = OrderedDict()

    async def once(self, code: str, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Ask for this code, or share the asking that is under way or over. Raises whatever `ask` raises."""
        key = hashlib.sha256(code.encode()).digest()
        self._forget_old()
        if key not in self._entries:
            self._start(key, ask)
        # A task of its own: the code is spent at WeChat even when the client that sent it has gone.
        return await asyncio.shield(self._entries[key].task)

    def _start(self, key: bytes, ask: Callable[[], Coroutine[Any, Any, T]]) -> None:
        entry = _Entry(asyncio.create_task(ask()), self._clock.now_ms() + self._keep_ms)
        self._entries[key] = entry
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)

        def forget_failure(task: asyncio.Task[T]) -> None:
            failed = task.cancelled() or task.exception() is not None
            if failed and self._entries.get(key) is entry:
                del self._entries[key]

        entry.task.add_done_callback(forget_failure)

    def _forget_old(self) -> None:
        now_ms = self._clock.now_ms()
        while self._entries and next(iter(self._entries.values())).until_ms <= now_ms:
            self._entries.popitem(last=False)
