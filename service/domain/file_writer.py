"""One picture on its way to disk: bounded, sniffed at its first bytes, checked and synced at its end.

It holds one block in memory, and knows neither the folder's budget nor who sends the bytes. Disk and hash work runs
in threads, a block at a time; a failure of the disk is the contract's 503.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import mmap
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from service.domain.picture_types import SNIFF_BYTES, PictureType, insert_chunk, measure, sniff
from service.errors import TooLarge, Unavailable, UnsupportedMedia

logger = logging.getLogger(__name__)

_BLOCK_BYTES: Final = 256 << 10
_NAME_DIGITS: Final = 40


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """Units: `size` in bytes, `width` and `height` in pixels."""

    name: str
    mime: str
    size: int
    width: int
    height: int


@contextmanager
def disk_errors() -> Iterator[None]:
    """Tell the client "not now" and the operator what the disk said."""
    try:
        yield
    except OSError as error:
        logger.error("the file store failed: %s", errno.errorcode.get(error.errno or 0, "unknown"))
        raise Unavailable("store_unavailable") from None


class FileWriter:
    """Made by `FileStore.new_file`. `adopt` gives the finished part its name in the folder."""

    def __init__(
        self, part: Path, *, limit_bytes: int, png_chunk: bytes, adopt: Callable[[Path, str, int], None]
    ) -> None:
        self._part = part
        self._limit_bytes = limit_bytes
        self._png_chunk = png_chunk
        self._adopt = adopt
        self._type: PictureType | None = None
        self._block = bytearray()
        self._received_bytes = 0
        self._digest = hashlib.sha256()
        self._file: BinaryIO | None = None
        self._closed = False
        # A cancelled caller leaves its thread at work: nobody may close the file under it.
        self._lock = threading.Lock()

    async def write(self, data: bytes) -> None:
        """Take the next bytes. Raises: TooLarge, UnsupportedMedia for what is no picture, Unavailable."""
        self._received_bytes += len(data)
        if self._received_bytes > self._limit_bytes:
            raise TooLarge("body_too_large", limit_bytes=self._limit_bytes)
        self._block += data
        if self._type is None and self._received_bytes >= SNIFF_BYTES:
            self._type = self._sniff()
        if len(self._block) >= _BLOCK_BYTES:
            await self._flush()

    async def finish(self) -> StoredFile:
        """Check the whole picture and give it its name.

        Raises: UnsupportedMedia for a picture that is broken or cut off, TooLarge for too many pixels, Unavailable.
        """
        kind = self._type or self._sniff()
        await self._flush()
        return await asyncio.to_thread(self._finish, kind)

    def discard(self) -> None:
        """Close, and remove what did not become a file (what stays all the same is swept later). For a thread."""
        with self._lock, suppress(OSError):
            self._closed = True
            if self._file is not None:
                self._file.close()
            self._part.unlink(missing_ok=True)

    def _sniff(self) -> PictureType:
        found = sniff(bytes(self._block[:SNIFF_BYTES]))
        if found is None:
            raise UnsupportedMedia("unsupported_picture")
        return found

    async def _flush(self) -> None:
        block = bytes(self._block)
        self._block.clear()
        await asyncio.to_thread(self._append, block)

    def _append(self, block: bytes) -> None:
        with self._lock, disk_errors():
            if self._closed:
                return
            if self._file is None:
                descriptor = os.open(self._part, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
                self._file = os.fdopen(descriptor, "w+b", buffering=0)
                block = insert_chunk(block, self._png_chunk)
            self._digest.update(block)
            _write_all(self._file, block)

    def _finish(self, kind: PictureType) -> StoredFile:
        with self._lock, disk_errors():
            if self._file is None:
                raise UnsupportedMedia("unsupported_picture")
            with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                picture, size = measure(data), len(data)
            os.fsync(self._file.fileno())
            name = f"{self._digest.hexdigest()[:_NAME_DIGITS]}.{kind.extension}"
            self._adopt(self._part, name, size)
            return StoredFile(name=name, mime=kind.mime, size=size, width=picture.width, height=picture.height)


def _write_all(file: BinaryIO, block: bytes) -> None:
    """An unbuffered write may take only a part."""
    rest = memoryview(block)
    while rest:
        rest = rest[file.write(rest) :]
