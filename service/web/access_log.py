"""One line a request: readable on a terminal, JSON elsewhere. Never a path with an id, a query, a body or a word of it.

Lines are gathered and written by a thread: a log that blocks must not hold up an answer, and one write serves many.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Sequence

import msgspec

from service.domain.pace import Pace
from service.logs import is_for_people
from service.settings import Settings
from service.web.request_context import RequestContext

_MOST_LINES = 100_000


class Line(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag_field="logger", tag="access"):
    """Units: `time` in seconds since the epoch, `ms` until the answer was sent whole."""

    time: float
    request_id: str
    method: str
    route: str
    code: int
    ms: float
    address: str
    trace_id: str | None = None


class AccessLog:
    """Gathers lines and writes them every `access_log_seconds`, and at the end."""

    def __init__(self, settings: Settings, pace: Pace, write: Callable[[bytes], object]) -> None:
        self._format = _text if is_for_people(settings) else _json
        self._is_on = settings.log_level in ("debug", "info")
        self._pace = pace
        self._write = write
        self._lines: list[Line] = []

    def add(self, context: RequestContext, method: str, route: str, code: int, seconds: float) -> None:
        if self._is_on and len(self._lines) < _MOST_LINES:
            now, ms = time.time_ns() // 1_000_000 / 1000, round(seconds * 1000, 1)
            trace_id = context.trace[3:35] if context.trace else None
            self._lines.append(Line(now, context.request_id, method, route, code, ms, context.address, trace_id))

    async def run(self) -> None:
        """Write what has gathered until cancelled."""
        try:
            while True:
                await asyncio.sleep(self._pace.access_log_seconds)
                await asyncio.to_thread(self._flush)
        finally:
            self._flush()

    def _flush(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            with contextlib.suppress(OSError, ValueError):
                self._write(self._format(lines))


def write_to_stderr(data: bytes) -> None:
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()


_json = msgspec.json.Encoder().encode_lines


def _text(lines: Sequence[Line]) -> bytes:
    return "".join([_line(line) for line in lines]).encode()


def _line(line: Line) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(line.time))
    return f"{clock} {line.code} {line.method} {line.route} {line.ms} ms {line.address} {line.request_id}\n"
