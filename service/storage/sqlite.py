"""The SQLite engine: one writer, several readers that never wait for it, one process per file."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from service.errors import StartError, Unavailable
from service.metrics import Metrics
from service.storage.database import Row, Step
from service.storage.migrations import migrate
from service.storage.positional import positional
from service.storage.sqlite_writer import SqliteWriter

_log = logging.getLogger(__name__)

_READERS = 2
_WRITER_PRAGMAS = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA busy_timeout = 5000;
    PRAGMA cache_size = -2048;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA secure_delete = ON;
"""


class SqliteDatabase:
    """A Database on one file. Made by `open_sqlite`."""

    def __init__(self, path: Path, lock: sqlite3.Connection, writer: sqlite3.Connection, metrics: Metrics) -> None:
        self._path = path
        self._lock = lock
        self._writer = SqliteWriter(writer, asyncio.get_running_loop(), metrics)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="sqlite-reader")
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []

    async def read(self, sql: str, *args: Any, most_chars: int | None = None) -> list[Row]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._query, sql, args, most_chars)

    def write(self, *steps: Step) -> asyncio.Future[list[list[Row]]]:
        return self._writer.submit(steps)

    async def check(self) -> None:
        await self.write(Step("UPDATE schema_migrations SET applied_at = applied_at WHERE version = 1"))

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        # Readers first: the last connection to close moves the WAL into the file, and that must be the writer.
        self._readers.shutdown()
        for connection in self._connections:
            connection.close()
        self._writer.close()
        self._lock.close()

    def _query(self, sql: str, args: tuple[Any, ...], most_chars: int | None) -> list[Row]:
        try:
            plain, pick = positional[sql]
            cursor = self._reader().execute(plain, pick(args) if pick else args)
            return cursor.fetchall() if most_chars is None else _fetch_some(cursor, most_chars)
        except sqlite3.Error as error:
            _log.error("the store could not be read: %s", error)
            raise Unavailable("store_unavailable") from error

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = _connect(self._path)
            connection.execute("PRAGMA query_only = ON")
            self._local.connection = connection
            self._connections.append(connection)
        return connection


async def open_sqlite(path: Path, now_ms: int, metrics: Metrics | None = None) -> SqliteDatabase:
    """Open the file, making and migrating it as needed.

    Raises: StartError with a sentence for the operator.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _lock(path.with_name(path.name + ".lock"))
        try:
            return SqliteDatabase(path, lock, _open_writer(path, now_ms), metrics or Metrics())
        except BaseException:
            lock.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise StartError(f"The database {path} cannot be opened: {error}. See DATABASE_URL.") from error


def _open_writer(path: Path, now_ms: int) -> sqlite3.Connection:
    path.touch(mode=0o600)  # SQLite gives the WAL the same rights as the file
    connection = _connect(path)
    try:
        connection.executescript(_WRITER_PRAGMAS)
        migrate(connection, now_ms)
    except BaseException:
        connection.close()
        raise
    return connection


def _lock(path: Path) -> sqlite3.Connection:
    """Hold an exclusive transaction on a small file beside the database: it ends with the process, on any system.

    Two processes on one WAL can corrupt it up to SQLite 3.51.2 (https://www.sqlite.org/wal.html).
    """
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        raise StartError(
            f"Another process of this service already uses the database {path.with_suffix('')}; "
            "stop it first, or set another DATABASE_URL."
        ) from None
    return connection


def _fetch_some(cursor: sqlite3.Cursor, most_chars: int) -> list[Row]:
    rows: list[Row] = []
    while most_chars > 0 and (row := cursor.fetchone()) is not None:
        rows.append(row)
        most_chars -= sum(len(value) for value in row if isinstance(value, str))
    cursor.close()
    return rows


def _connect(path: Path) -> sqlite3.Connection:
    # Autocommit, so that the transactions are those we write; each connection stays with one thread at a time.
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
