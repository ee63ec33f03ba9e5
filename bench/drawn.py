"""The picture that the benchmark's upstream draws: 30 MB of noise in a PNG's clothes, told as base64 in a JSON answer.

One block of noise is made once and said again and again, so that a picture costs the upstream next to nothing; a
number in a text chunk makes each of them a file of its own.
"""

from __future__ import annotations

import base64
import random
import struct
import zlib
from functools import cache

_WIDTH, _HEIGHT = 3200, 3134
_BLOCK_BYTES = 96 << 10  # a multiple of three: base64 in parts is base64 of the whole
_BLOCKS = 306
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
PICTURE_BYTES = 33 + 16 + 8 + _BLOCKS * _BLOCK_BYTES + 4 + len(_END)

_JSON_HEAD, _JSON_END = b'{"created":1700000000,"data":[{"b64_json":"', b'"}]}'


def drawn(number: int) -> tuple[bytes, ...]:
    """The answer with one picture as a whole HTTP response, in parts of at most 128 KiB. Shape: `number` below 100."""
    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0)
    pixels_begin = struct.pack(">I", _BLOCKS * _BLOCK_BYTES) + b"IDAT"
    begin = _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"tEXt", b"n\0%02d" % number) + pixels_begin
    block, end = _pixels()
    parts = (_JSON_HEAD, base64.b64encode(begin), *[block] * _BLOCKS, end, _JSON_END)
    length = sum(map(len, parts))
    return (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % length, *parts)


@cache
def _pixels() -> tuple[bytes, bytes]:
    """A block of noise, and what follows the last: both as base64."""
    noise = random.Random(0).randbytes(_BLOCK_BYTES)  # noqa: S311 - it only must not compress
    checksum = zlib.crc32(b"IDAT")
    for _ in range(_BLOCKS):
        checksum = zlib.crc32(noise, checksum)
    return base64.b64encode(noise), base64.b64encode(struct.pack(">I", checksum) + _END)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
