"""Event streams taken apart as they arrive: bytes in, the data of whole events out.

Pure: it refuses to know what the data means and where the bytes come from.
Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

from typing import Final

LONGEST_EVENT_BYTES: Final = 8 << 20

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventDecoder:
    """One event stream. `overflown` is set once an event is longer than the bound, and nothing more comes then."""

    __slots__ = ("_after_cr", "_at_start", "_data", "_data_bytes", "_limit_bytes", "_line", "overflown")

    def __init__(self, limit_bytes: int = LONGEST_EVENT_BYTES) -> None:
        self.overflown = False
        self._limit_bytes = limit_bytes
        self._line = bytearray()  # appended to, never rebuilt: a long line may come in thousands of reads
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._at_start = True
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes, split anywhere; give the data of the events they complete."""
        if chunk.startswith(b"data: ") and chunk.endswith(b"\n\n") and self._is_between_events():
            # Whole events of one line, as nearly every read brings them: anything else in it makes more line feeds.
            found = chunk[6:-2].split(b"\n\ndata: ")
            if chunk.count(b"\n") == 2 * len(found) and b"\r" not in chunk:
                self._at_start = False
                return found
        if self._after_cr or b"\r" in chunk:
            chunk = self._with_line_feeds(chunk)
        end = chunk.rfind(b"\n")
        if end < 0:
            self._hold(chunk)
            return []
        block = chunk[:end]
        if self._line:
            self._line += block
            block = bytes(self._line)
            self._line.clear()
        found = self._take_lines(block)
        self._hold(chunk[end + 1 :])
        return found

    def finish(self) -> list[bytes]:
        """Give what is left when the stream has ended: some relays forget the last blank line."""
        line = bytes(self._line)
        self._line.clear()
        return self._take_lines(line + b"\n")

    def _is_between_events(self) -> bool:
        return not (self._line or self._data or self._after_cr or self.overflown)

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        if self._after_cr and chunk[:1] == b"\n":  # CRLF split between two reads: its CR has ended the line already
            chunk = chunk[1:]
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _hold(self, part: bytes) -> None:
        self._line += part
        if len(self._line) + self._data_bytes > self._limit_bytes:
            self.overflown = True
            self._line.clear()
            self._data.clear()

    def _take_lines(self, block: bytes) -> list[bytes]:
        if self.overflown:
            return []
        if self._at_start:
            self._at_start = False
            block = block.removeprefix(_BYTE_ORDER_MARK)
        found: list[bytes] = []
        data = self._data
        for line in block.split(b"\n"):
            if not line:
                if data:
                    found.append(data[0] if len(data) == 1 else b"\n".join(data))
                    data.clear()
            elif line.startswith(b"data:"):
                data.append(line[6:] if line[5:6] == b" " else line[5:])
        self._data_bytes = sum(map(len, data))
        return found
