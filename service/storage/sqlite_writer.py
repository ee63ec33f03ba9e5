"""The one writer of a SQLite file: a thread that commits the writes of many callers together.

While one commit waits for the disk the next writes gather, and one commit makes them all durable. Each caller hears
of its own write, and only after the commit.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Sequence
from time import perf_counter

from service.errors import Unavailable
from service.metrics import Metrics
from service.storage.database import Row, Step, StepRefused
from service.storage.positional import positional

_log = logging.getLogger(__name__)

Written = list[list[Row]]
Outcome = Written | Exception

# What a job brings on itself, the values that Python cannot give to SQLite among it: its neighbours must not suffer.
_OWN_FAULT = (
    StepRefused,
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    ValueError,
)

# The steps, whom to tell, and when it was handed in. A plain tuple: one is made for each write.
_Job = tuple[Sequence[Step], asyncio.Future[Written], float]


class SqliteWriter:
    """Owns the writing connection from its thread on."""

    def __init__(self, connection: sqlite3.Connection, loop: asyncio.AbstractEventLoop, metrics: Metrics) -> None:
        self._metrics = metrics
        self._connection = connection
        self._cursor = connection.cursor()  # making one costs as much as a small statement
        self._loop = loop
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    def submit(self, steps: Sequence[Step]) -> asyncio.Future[Written]:
        future: asyncio.Future[Written] = self._loop.create_future()
        self._jobs.put((steps, future, perf_counter()))
        return future

    def close(self) -> None:
        """Finish what was submitted, then end the thread and the connection. Blocks."""
        self._jobs.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while batch := self._gather():
            started = perf_counter()
            outcomes = self._commit(batch)
            # One call into the loop for the whole batch: each call wakes it up.
            self._loop.call_soon_threadsafe(_deliver, batch, outcomes)
            # The first of a batch has waited longest.
            self._metrics.store_queue.observe(started - batch[0][2])
            self._metrics.store_commit.observe(perf_counter() - started)

    def _gather(self) -> list[_Job]:
        """Wait for a job and take what has come with it; nothing after the end."""
        batch: list[_Job] = []
        while (job := self._jobs.get()) is not None:
            batch.append(job)
            if self._jobs.empty():
                return batch
        if batch:
            self._jobs.put(None)  # to be met again
        return batch

    def _commit(self, batch: list[_Job]) -> Sequence[Outcome]:
        try:
            return self._transact(batch, savepoints=False)
        except _OWN_FAULT:
            # These are rare: only a batch that has one pays for a savepoint a job.
            return self._commit_carefully(batch)
        except Exception as error:  # whatever it is: without this thread every caller would wait for ever
            return self._failed(batch, error)

    def _commit_carefully(self, batch: list[_Job]) -> Sequence[Outcome]:
        try:
            return self._transact(batch, savepoints=True)
        except Exception as error:
            return self._failed(batch, error)

    def _transact(self, batch: list[_Job], *, savepoints: bool) -> Sequence[Outcome]:
        self._cursor.execute("BEGIN IMMEDIATE")
        try:
            attempt = self._attempt_apart if savepoints else self._attempt
            outcomes = [attempt(steps) for steps, _, _ in batch]
            self._cursor.execute("COMMIT")
        finally:
            # A full disk has already rolled back by itself.
            if self._connection.in_transaction:
                self._cursor.execute("ROLLBACK")
        return outcomes

    def _attempt(self, steps: Sequence[Step]) -> Written:
        cursor = self._cursor
        written: Written = []
        for step in steps:
            plain, pick = positional[step.sql]
            cursor.execute(plain, pick(step.args) if pick else step.args)
            rows = cursor.fetchall()
            if step.must and not rows and cursor.rowcount < 1:
                raise StepRefused(len(written))
            written.append(rows)
        return written

    def _attempt_apart(self, steps: Sequence[Step]) -> Outcome:
        self._cursor.execute("SAVEPOINT job")
        try:
            return self._attempt(steps)
        except _OWN_FAULT as error:
            self._cursor.execute("ROLLBACK TO job")
            return error
        finally:
            if self._connection.in_transaction:
                self._cursor.execute("RELEASE job")

    def _failed(self, batch: list[_Job], error: Exception) -> Sequence[Outcome]:
        _log.error("the store could not be written, %d writes refused: %s", len(batch), error)
        return [Unavailable("store_unavailable") for _ in batch]


def _deliver(batch: list[_Job], outcomes: Sequence[Outcome]) -> None:
    for (_, future, _), outcome in zip(batch, outcomes, strict=True):
        if future.done():  # the caller was cancelled; its write stands all the same
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
