"""What a turn and a history page cost on a small store and on a large one, side by side.

The service makes its store itself and answers one chat; that row is then copied into the closed file as often as
wanted. Of the schema this knows the table's name and the three columns that must differ.
"""

from __future__ import annotations

import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench.figures import CHAT_GROWTH, PAGE_GROWTH
from bench.processes import BenchError, Running
from bench.rates import chat_job, page_job
from bench.stage import Stage, say
from bench.subjects import USERS, Subject, openid

_SMALL_ROWS = USERS * 20  # the least that fills every user's page; near enough to 1,000
_ROW_BYTES = 1500
_BATCH_ROWS = 100_000


def measure_growth(stage: Stage, subjects: list[Subject]) -> None:
    for subject in subjects:
        say(f"growth: {_SMALL_ROWS:,} turns beside {stage.plan.rows:,}, spread over {USERS} users")
        small, large = (_seeded(stage, subject, rows) for rows in (_SMALL_ROWS, stage.plan.rows))
        with stage.up(subject, small) as (few, _), stage.up(subject, large) as (many, _):
            for number in range(stage.plan.rounds):
                say(f"  round {number + 1} of {stage.plan.rounds}")
                _compare(stage, subject, [few, many] if number % 2 == 0 else [many, few], many)


def _compare(stage: Stage, subject: Subject, servers: list[Running], large: Running) -> None:
    for measure, make_job in ((CHAT_GROWTH, chat_job), (PAGE_GROWTH, page_job)):
        seconds = {}
        for server in servers:
            report = stage.load(make_job(stage, subject, server), server)
            seconds[server is large] = 1 / report.per_second
        stage.keep(measure, subject.name, seconds[True] / seconds[False])


def _seeded(stage: Stage, subject: Subject, rows: int) -> Path:
    """A folder with a store of so many turns."""
    folder = stage.new_folder()
    if shutil.disk_usage(folder).free < rows * _ROW_BYTES * 2:
        raise BenchError(f"growth: no room for {rows:,} turns below {stage.folder}; see --folder and --rows")
    with stage.up(subject, folder):
        pass
    begun = time.perf_counter()
    with closing(sqlite3.connect(folder / "bench.db", isolation_level=None)) as database:
        cursor = database.execute("SELECT * FROM turns LIMIT 1")
        columns = [column[0] for column in cursor.description]
        template = cursor.fetchone()
        places = [columns.index(name) for name in ("turn_id", "openid", "conversation_id")]
        sql = f"INSERT INTO turns VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
        database.execute("PRAGMA synchronous = OFF")
        for start in range(0, rows, _BATCH_ROWS):
            database.execute("BEGIN")
            database.executemany(sql, _copies(template, places, range(start, min(rows, start + _BATCH_ROWS))))
            database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    say(f"  {rows:,} turns seeded in {time.perf_counter() - begun:.1f} s")
    return folder


def _copies(template: tuple[object, ...], places: list[int], numbers: range) -> Iterator[list[object]]:
    """Rows like the service's own, older than the first: their ids grow as its ids do."""
    turn_id, user, conversation_id = places
    for number in numbers:
        row = list(template)
        row[turn_id] = f"{number:016x}{secrets.token_hex(8)}"
        row[user] = openid(number % USERS)
        row[conversation_id] = secrets.token_hex(16)
        yield row
