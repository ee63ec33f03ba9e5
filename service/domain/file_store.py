"""Pictures on disk, named by their content.

A file is written beside its place, checked, synced and renamed, so that a name never stands for half a picture; the
same picture twice is one file, with its age begun anew. The folder is bounded by bytes and by age. Who owns a file is
not known here. Everything that touches the disk runs in threads.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import secrets
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from service.clock import Clock
from service.domain.file_writer import FileWriter, disk_errors
from service.domain.picture_types import PICTURE_TYPES
from service.errors import NotFound, StartError

_NAME: Final = re.compile(rf"[0-9a-f]{{40}}\.(?:{'|'.join(kind.extension for kind in PICTURE_TYPES)})", re.ASCII)
_PART: Final = ".part"
# Older than any write can be: left behind by a crash. Younger ones may be another process's.
_LEFTOVER_SECONDS: Final = 3600


class FileStore:
    """Units: `max_bytes` of finished files together, `ttl_seconds` since the content was last written."""

    def __init__(self, directory: Path, *, max_bytes: int, ttl_seconds: int, clock: Clock) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._ttl_ms = ttl_seconds * 1000
        self._clock = clock
        self._used_bytes = 0
        self._swept: deque[str] = deque()
        # Between a sweep and a rename: a file may not be swept for its age while the same content arrives again.
        self._lock = threading.Lock()

    async def open(self) -> None:
        """Make the folder and clear what a crash left. Raises: StartError, Unavailable."""
        await asyncio.to_thread(self._open)

    def path_of(self, name: str) -> Path:
        """Where the file is. Raises: NotFound for a name that is not exactly one of ours, and for a swept file."""
        path = self._directory / name if _NAME.fullmatch(name) else None
        if path is None or not path.is_file():
            raise NotFound("file_not_found")
        return path

    @asynccontextmanager
    async def new_file(self, *, limit_bytes: int, png_chunk: bytes = b"") -> AsyncIterator[FileWriter]:
        """A file to write to; what is not finished when the block is left is gone.

        Shape: `png_chunk` is a chunk to put into a PNG, such as the AIGC label. Raises: Unavailable.
        """
        part = self._directory / (secrets.token_hex(16) + _PART)
        limit_bytes = min(limit_bytes, self._max_bytes)
        writer = FileWriter(part, limit_bytes=limit_bytes, png_chunk=png_chunk, adopt=self._adopt)
        try:
            yield writer
        finally:
            await asyncio.to_thread(writer.discard)

    async def remove(self, name: str) -> None:
        """Forget a file; a name that is not there is no failure. Raises: Unavailable."""
        if _NAME.fullmatch(name):
            await asyncio.to_thread(self._remove, name)

    async def sweep(self) -> None:
        """Remove what is past its time, and the oldest files beyond the budget. Raises: Unavailable."""
        await asyncio.to_thread(self._sweep)

    def take_swept(self) -> list[str]:
        """The names that were swept since this was last asked, whatever the reason; not those that are there again."""
        names = {self._swept.popleft() for _ in range(len(self._swept))}
        return [name for name in names if not (self._directory / name).exists()]

    def _adopt(self, part: Path, name: str, size: int) -> None:
        """Give a written file its name, as the youngest of all."""
        with self._lock:
            now_ns = self._clock.now_ms() * 1_000_000
            os.utime(part, ns=(now_ns, now_ns))
            target = self._directory / name
            self._used_bytes += 0 if target.exists() else size
            part.replace(target)
            self._sync_directory()
        if self._used_bytes > self._max_bytes:
            self._sweep(keep=name)

    def _open(self) -> None:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(self._directory, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise StartError(f"FILES_DIR={str(self._directory)!r} cannot be used: {error.strerror}.") from None
        self._sweep()

    def _sync_directory(self) -> None:
        folder = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _remove(self, name: str) -> None:
        with self._lock, disk_errors():
            path = self._directory / name
            if path.exists():
                self._used_bytes -= path.stat().st_size
                path.unlink()

    def _sweep(self, keep: str = "") -> None:
        now_ms = self._clock.now_ms()
        with self._lock, disk_errors():
            files = sorted(self._survey(now_ms))
            self._used_bytes = sum(size for _, _, size in files)
            for written_ms, name, size in files:
                if self._used_bytes <= self._max_bytes and written_ms + self._ttl_ms > now_ms:
                    break
                if name != keep:
                    (self._directory / name).unlink(missing_ok=True)
                    self._used_bytes -= size
                    self._swept.append(name)

    def _survey(self, now_ms: int) -> Iterator[tuple[int, str, int]]:
        """Our files with their age and size; leftovers are removed on the way, strangers left alone."""
        with os.scandir(self._directory) as entries:
            for entry in entries:
                stat = entry.stat(follow_symlinks=False)
                written_ms = stat.st_mtime_ns // 1_000_000
                if _NAME.fullmatch(entry.name):
                    yield written_ms, entry.name, stat.st_size
                elif entry.name.endswith(_PART) and written_ms + _LEFTOVER_SECONDS * 1000 < now_ms:
                    Path(entry.path).unlink(missing_ok=True)
