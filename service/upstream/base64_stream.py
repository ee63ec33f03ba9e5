"""Decode base64 as it arrives: text in pieces, data urls, and the pictures inside a JSON answer.

A picture in a JSON answer never exists as a whole here: the scanner hands its bytes on piece by piece and keeps the
rest of the answer, with `blob:0`, `blob:1` ... where the pictures were, for an ordinary JSON parser. What the answer
means, and what kind of picture it is, is not known here.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final

_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_WHITESPACE: Final = b" \t\r\n"

_DATA_URL: Final = re.compile(r"data:image/[\w.+-]{1,32}(?:;[\w.=-]{1,40}){0,3};base64,", re.ASCII | re.IGNORECASE)
_SLICE_CHARS: Final = 256 << 10

# PHP writes `\/` for every slash, in base64 too.
_DATA_URL_IN_JSON: Final = re.compile(
    rb"data:image\\?/[\w.+-]{1,32}(?:;[\w.=-]{1,40}){0,3};base64,", re.ASCII | re.IGNORECASE
)
_HEAD_BYTES: Final = 180
_BASE64_KEY: Final = re.compile(rb'"b64_json"\s{0,8}:\s{0,8}$')
_KEY_BYTES: Final = 40
_ESCAPE: Final = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|([^u]))", re.DOTALL)
_ESCAPE_BYTES: Final = 6
_ESCAPED: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"/": b"/"}
_QUOTE_OR_ESCAPE: Final = re.compile(rb'["\\]')


class Base64Decoder:
    """Either alphabet, with or without padding or line breaks. Raises: ValueError for anything else."""

    def __init__(self) -> None:
        self._rest = b""
        self._ended = False

    def feed(self, text: bytes) -> bytes:
        text = text.translate(_URL_SAFE, _WHITESPACE)
        if text and self._ended:
            raise ValueError("base64 goes on behind its padding")
        text = self._rest + text
        whole = len(text) & ~3
        self._rest = text[whole:]
        self._ended = self._ended or text[:whole].endswith(b"=")
        return binascii.a2b_base64(text[:whole], strict_mode=True)

    def finish(self) -> bytes:
        missing = -len(self._rest) % 4
        return binascii.a2b_base64(self._rest + b"=" * missing, strict_mode=True)


def decode_data_url(url: str) -> Iterator[bytes]:
    """The bytes of a `data:image/...;base64,` url, in slices. Raises: ValueError."""
    head = _DATA_URL.match(url)
    if head is None:
        raise ValueError("not a base64 data url of an image")
    decoder = Base64Decoder()
    for start in range(head.end(), len(url), _SLICE_CHARS):
        yield decoder.feed(url[start : start + _SLICE_CHARS].encode("ascii"))
    yield decoder.finish()


class Edge(Enum):
    START = "start"
    END = "end"


Event = bytes | Edge


class BlobScanner:
    """Take a JSON answer in any pieces; give the pictures in it: START, bytes ..., END for each.

    A picture is the string under `b64_json`, or any string that is a data url of an image. One without a byte in it is
    no picture and stays an empty string. Raises: ValueError for broken base64, and beyond `rest_limit_bytes` of rest.
    """

    def __init__(self, *, rest_limit_bytes: int = 1 << 20) -> None:
        self._rest_limit_bytes = rest_limit_bytes
        self._rest = bytearray()
        self._carry = b""
        self._events: list[Event] = []
        self._step: Callable[[bytes, int], int] = self._outside
        self._decoder = Base64Decoder()
        self._started = False
        self._blobs = 0

    def feed(self, data: bytes) -> list[Event]:
        self._events = []
        data = self._carry + data
        self._carry = b""
        position = 0
        while position < len(data):
            position = self._step(data, position)
            if len(self._rest) > self._rest_limit_bytes:
                raise ValueError("too much JSON around the pictures")
        return self._events

    def rest(self) -> bytes:
        """The answer without its pictures, once it has ended."""
        return bytes(self._rest) + self._carry

    # Each step takes what it can from a position on and says where the next one goes on.

    def _outside(self, data: bytes, position: int) -> int:
        quote = data.find(b'"', position)
        if quote < 0:
            return self._keep(data, position, len(data))
        self._step = self._head
        return self._keep(data, position, quote + 1)

    def _head(self, data: bytes, position: int) -> int:
        """At the first character of a string: what is it?"""
        window = data[position : position + _HEAD_BYTES]
        if len(window) < _HEAD_BYTES and b'"' not in window:
            return self._wait(data, position)
        self._step = self._text
        if head := _DATA_URL_IN_JSON.match(window):
            self._step = self._blob
            return position + head.end()
        if _BASE64_KEY.search(self._rest[-_KEY_BYTES:-1]):
            self._step = self._blob
        return position

    def _text(self, data: bytes, position: int) -> int:
        found = _QUOTE_OR_ESCAPE.search(data, position)
        if found is None:
            return self._keep(data, position, len(data))
        if found[0] == b'"':
            self._step = self._outside
            return self._keep(data, position, found.end())
        if found.end() == len(data):
            return self._wait(data, self._keep(data, position, found.start()))
        return self._keep(data, position, found.end() + 1)

    def _blob(self, data: bytes, position: int) -> int:
        end = data.find(b'"', position)
        part = data[position:] if end < 0 else data[position:end]
        if b"\\" in part:
            cut = part.rfind(b"\\", -_ESCAPE_BYTES)
            if end < 0 and cut >= 0 and not _ESCAPE.match(part, cut):
                self._wait(part, cut)
                part = part[:cut]
            part = _ESCAPE.sub(_unescape, part)
        self._emit(self._decoder.feed(part))
        if end < 0:
            return len(data)
        self._end_blob()
        return end + 1

    def _end_blob(self) -> None:
        self._emit(self._decoder.finish())
        if self._started:
            self._events.append(Edge.END)
            self._rest += b"blob:%d" % self._blobs
            self._blobs += 1
        self._rest += b'"'
        self._decoder = Base64Decoder()
        self._started = False
        self._step = self._outside

    def _emit(self, decoded: bytes) -> None:
        if decoded and not self._started:
            self._started = True
            self._events.append(Edge.START)
        if decoded:
            self._events.append(decoded)

    def _keep(self, data: bytes, start: int, end: int) -> int:
        self._rest += data[start:end]
        return end

    def _wait(self, data: bytes, position: int) -> int:
        """Look at this again when more has come."""
        self._carry = data[position:]
        return len(data)


def _unescape(escape: re.Match[bytes]) -> bytes:
    if escape[1]:
        return chr(int(escape[1], 16)).encode()
    return _ESCAPED.get(escape[2], b"\\")
