"""Small real pictures, made here byte by byte, and things that only look like pictures."""

from __future__ import annotations

import base64
import random
import struct
import zlib


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int = 2, height: int = 2, *, seed: int = 0) -> bytes:
    """Noise in RGB, so that it does not compress: about 3 bytes a pixel."""
    noise = random.Random(seed)
    rows = b"".join(b"\0" + noise.randbytes(3 * width) for _ in range(height))
    return png_header(width, height) + png_chunk(b"IDAT", zlib.compress(rows, 0)) + png_chunk(b"IEND", b"")


def png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def jpeg(width: int = 8, height: int = 8, *, exif: bytes = b"") -> bytes:
    """A grey baseline picture: one block of nothing, or the start of a larger one."""
    app1 = struct.pack(">2sH", b"\xff\xe1", len(exif) + 2) + exif if exif else b""
    quantization = b"\xff\xdb\0\x43\0" + b"\1" * 64
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\1\x11\0"
    tables = b"".join(b"\xff\xc4\0\x14" + kind + b"\1" + b"\0" * 15 + b"\0" for kind in (b"\0", b"\x10"))
    scan = b"\xff\xda\0\x08\1\1\0\0\x3f\0" + b"\x3f"
    return b"\xff\xd8" + app1 + quantization + frame + tables + scan + b"\xff\xd9"


def gif(width: int = 1, height: int = 1) -> bytes:
    rest = base64.b64decode("gAAAAAAA////IfkEAQAAAAAsAAAAAAEAAQAAAgFEADs=")
    return b"GIF89a" + struct.pack("<HH", width, height) + rest


WEBP_LOSSY = base64.b64decode("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")
WEBP_LOSSLESS = base64.b64decode("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")


def webp_extended(width: int, height: int) -> bytes:
    canvas = b"\0" * 4 + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + canvas + WEBP_LOSSLESS[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
# A picture for everything that sniffs, and a page for everything that believes a `text/html`.
POLYGLOT = gif() + b"<script>alert(1)</script>" + b";"
