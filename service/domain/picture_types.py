"""What kind of picture some bytes are, how large it is, and whether it is whole: read from headers alone.

It never decodes a picture, so a decompression bomb is only a pair of numbers here. What stands behind the
end of a picture (a polyglot's script, a phone's depth map) is neither looked at nor cut off: files are served with
the type found here and `nosniff`, so that nothing else is ever made of them. SVG is not a picture: it is a program.
"""

from __future__ import annotations

import json
import mmap
import struct
import zlib
from typing import Final, NamedTuple

from service.errors import TooLarge, UnsupportedMedia

SNIFF_BYTES: Final = 16
MAX_MEGAPIXELS: Final = 64
_PNG_HEAD_BYTES: Final = 33
# Bounds on the walk through a hostile header; real pictures have some tens of segments, some thousands of chunks.
_MAX_JPEG_SEGMENTS: Final = 4096
_MAX_PNG_CHUNKS: Final = 200_000

Buffer = bytes | mmap.mmap


class PictureType(NamedTuple):
    mime: str
    extension: str


class Size(NamedTuple):
    """Units: pixels."""

    width: int
    height: int


PNG: Final = PictureType("image/png", "png")
JPEG: Final = PictureType("image/jpeg", "jpg")
WEBP: Final = PictureType("image/webp", "webp")
GIF: Final = PictureType("image/gif", "gif")
PICTURE_TYPES: Final = (PNG, JPEG, WEBP, GIF)


def sniff(head: bytes) -> PictureType | None:
    """The type that the first bytes say, whatever a header or a name says; None when it is not one we allow.

    Shape: `head` is the first SNIFF_BYTES of the file or more.
    Source: WHATWG MIME Sniffing Standard, 6.1 (image type pattern matching).
    """
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    if head.startswith(b"RIFF") and head[8:14] == b"WEBPVP":
        return WEBP
    return None


def measure(data: Buffer) -> Size:
    """The picture's size, once its header is sound and its end is there.

    Raises: UnsupportedMedia for another type, a broken header or a missing end; TooLarge for too many pixels.
    """
    measured = {PNG: _png_size, JPEG: _jpeg_size, WEBP: _webp_size, GIF: _gif_size}
    found = sniff(data[:SNIFF_BYTES])
    try:
        size = measured[found](data) if found else None
    except (struct.error, IndexError):  # the header itself is cut off
        size = None
    if size is None or not all(size):
        raise UnsupportedMedia("unsupported_picture")
    if size.width * size.height > MAX_MEGAPIXELS * 1_000_000:
        raise TooLarge("too_many_pixels", limit_megapixels=MAX_MEGAPIXELS)
    return size


def _png_size(data: Buffer) -> Size | None:
    """Source: PNG specification (Third Edition), 5.3 chunk layout, 11.2.1 IHDR."""
    length, kind, width, height = struct.unpack(">I4sII", data[8:24])
    if (length, kind) != (13, b"IHDR"):
        return None
    position = _PNG_HEAD_BYTES
    for _ in range(_MAX_PNG_CHUNKS):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        position += 12 + length
        if kind == b"IEND":
            return Size(width, height) if position <= len(data) else None
    return None


def _jpeg_size(data: Buffer) -> Size | None:
    """Source: ITU-T T.81, annex B: markers, the frame header, the end of image."""
    position = 2
    for _ in range(_MAX_JPEG_SEGMENTS):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF or 0xD0 <= marker <= 0xD7:  # a fill byte, or a marker that stands alone
            position += 1 if marker == 0xFF else 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return Size(width, height) if data.rfind(b"\xff\xd9") > position else None
        if marker in (0xD8, 0xD9, 0xDA):
            return None
        position += 2 + struct.unpack(">H", data[position + 2 : position + 4])[0]
    return None


def _webp_size(data: Buffer) -> Size | None:
    """Source: RFC 9649, 2.3 to 2.7 (container), 3.4 (VP8L); RFC 6386, 9.1 (VP8)."""
    if struct.unpack("<I", data[4:8])[0] + 8 > len(data):
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = data[24:27] + b"\0", data[27:30] + b"\0"
        return Size(struct.unpack("<I", width)[0] + 1, struct.unpack("<I", height)[0] + 1)
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = struct.unpack("<I", data[21:25])[0]
        return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        lossy_width, lossy_height = struct.unpack("<HH", data[26:30])
        return Size(lossy_width & 0x3FFF, lossy_height & 0x3FFF)
    return None


def _gif_size(data: Buffer) -> Size | None:
    """Source: GIF89a specification, 18 (logical screen), 27 (trailer; some writers pad behind it)."""
    whole = data[-16:].rstrip(b"\0\r\n").endswith(b";")
    return Size(*struct.unpack("<HH", data[6:10])) if whole else None


def aigc_chunk(*, producer: str, produce_id: str) -> bytes:
    """The implicit label "this was made by AI", as a PNG text chunk named AIGC.

    Shape: the seven keys, all texts; Label "1" is "generated". We make the file and are the first to pass it on, so
    both pairs name us; the reserved codes are free for a signature. JSON in ASCII, since tEXt is Latin-1.
    Source: GB 45438-2025, 5.2 and annex E; PNG specification, 11.3.3.
    """
    label = {
        "Label": "1",
        "ContentProducer": producer,
        "ProduceID": produce_id,
        "ReservedCode1": "",
        "ContentPropagator": producer,
        "PropagateID": produce_id,
        "ReservedCode2": "",
    }
    body = b"tEXtAIGC\0" + json.dumps(label, separators=(",", ":")).encode()
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def insert_chunk(head: bytes, chunk: bytes) -> bytes:
    """The same picture with the chunk behind its IHDR; unchanged where the bytes are no PNG.

    Shape: `head` is the beginning of the file, 33 bytes or more.
    """
    if sniff(head) != PNG or head[8:16] != b"\0\0\0\rIHDR":
        return head
    return head[:_PNG_HEAD_BYTES] + chunk + head[_PNG_HEAD_BYTES:]
