"""What every job of the load generator shares: its connections, its end, and what makes an answer wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter

from bench.script import heard, said
from bench.wire import BadAnswerError, Connection

_CONNECT_AT_ONCE = 50
_SILENCE_SECONDS = 30.0


def check(connection: Connection, must_have: bytes, times: int = 1) -> None:
    """Raises BadAnswerError unless it is a 200 that says what it should."""
    body = connection.body()
    if connection.status != 200 or body.count(must_have) != times:
        raise BadAnswerError(f"status {connection.status}, body {body[:300]!r}")


def check_stream(connection: Connection, pieces: int, name: str = "a stream") -> None:
    """Raises BadAnswerError unless every piece came, once and in order."""
    events = connection.body()
    text = heard(events)
    if connection.status != 200 or text != said(pieces):
        got = f"{text.count(b'piece')} of {pieces} pieces" if text else repr(events[:300])
        raise BadAnswerError(f"{name}: status {connection.status}, {got}, the end is {events[-300:]!r}")


class Work:
    """Connections at work until each has been told to rest, or one has failed. `count` is the job's own tally."""

    def __init__(self) -> None:
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._connections: list[Connection] = []
        self._busy = 0
        self.count = 0

    async def connect(self, ports: list[int], on_answer: Callable[[Connection], None]) -> list[Connection]:
        """Open a connection to each port, some at a time: a listener's queue is short."""

        def checked(connection: Connection) -> None:
            try:
                on_answer(connection)
            except BadAnswerError as error:
                self._fail(error)

        def make() -> Connection:
            return Connection(checked, self._fail)

        loop = asyncio.get_running_loop()
        for start in range(0, len(ports), _CONNECT_AT_ONCE):
            some = ports[start : start + _CONNECT_AT_ONCE]
            opened = await asyncio.gather(*(loop.create_connection(make, "127.0.0.1", port) for port in some))
            self._connections += [connection for _, connection in opened]
        self._busy = len(ports)
        return self._connections

    def rest(self) -> None:
        """One connection has nothing more to do."""
        self._busy -= 1
        if self._busy == 0:
            self.finish()

    def finish(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    async def wait(self) -> None:
        """Until the end. Raises BadAnswerError for the first failure, and where nothing comes any more."""
        while not self._over.done():
            await asyncio.wait([self._over], timeout=_SILENCE_SECONDS)
            silent_seconds = perf_counter() - max(one.heard_at for one in self._connections)
            if silent_seconds > _SILENCE_SECONDS and not self._over.done():
                raise BadAnswerError(f"{self._busy} connections wait, but nothing came for {silent_seconds:.0f} s")
        await self._over

    def _fail(self, error: BadAnswerError) -> None:
        if not self._over.done():
            self._over.set_exception(error)
