"""The connections of the one session: how many there may be, which are new, and those that wait for a next question.

It refuses to know what travels over them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import ContextVar
from typing import Any

import aiohttp
from aiohttp.connector import Connection

from service.upstream.deadlines import Deadlines

made_anew: ContextVar[bool] = ContextVar("made_anew", default=True)
"""Whether a connection was made since the task that asks has set it to False."""


class Pool(aiohttp.TCPConnector):
    """Notes for the task that asks when a connection is made for it.

    `_create_connection` is the hook that aiohttp documents for connectors; a TraceConfig tells the same for 15 µs.
    """

    async def _create_connection(self, *args: Any, **options: Any) -> Any:
        made_anew.set(True)
        return await super()._create_connection(*args, **options)


class IdleConnections:
    """Connections to one host between two questions: the connector still counts them as taken, which makes it cheap.

    The one given last is taken first, so that those of a busy hour grow old.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, deadlines: Deadlines, *, keep_seconds: float) -> None:
        self.until = 0.0
        self._loop = loop
        self._deadlines = deadlines
        self._keep_seconds = keep_seconds
        self._kept: deque[tuple[Connection, float]] = deque()

    def __len__(self) -> int:
        return len(self._kept)

    def take(self) -> Connection | None:
        """Take one that can be written to, if there is any."""
        while self._kept:
            connection, _ = self._kept.pop()
            protocol, transport = connection.protocol, connection.transport
            # Proxies say 408 on an idle connection before they close it: an answer from before the question.
            usable = protocol is not None and not protocol.should_close
            if usable and transport is not None and not transport.is_closing():
                return connection
            connection.close()
        return None

    def give(self, connection: Connection) -> None:
        """Keep a connection whose last answer has come whole."""
        until = self._loop.time() + self._keep_seconds
        self._kept.append((connection, until))
        if len(self._kept) == 1:
            self._deadlines.watch(self, until)

    def shrink_to(self, most: int) -> None:
        while len(self._kept) > most:
            self._kept.popleft()[0].close()

    def expire(self) -> None:
        """Close those that have been idle for too long."""
        while self._kept and self._kept[0][1] <= self.until:
            self._kept.popleft()[0].close()
        if self._kept:
            self._deadlines.watch(self, self._kept[0][1])
