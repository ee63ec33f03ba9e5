"""What goes wrong in the store, and whom it concerns."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from service.errors import StartError, Unavailable
from service.storage.database import Step
from service.storage.sqlite import SqliteDatabase, open_sqlite

INSERT = "INSERT INTO notes VALUES ($1)"


@pytest.fixture
async def notes(database: SqliteDatabase) -> SqliteDatabase:
    await database.write(Step("CREATE TABLE notes (text TEXT PRIMARY KEY)"))
    return database


@pytest.mark.parametrize("value", [2**70, "\ud800", object()], ids=["too big", "half a pair", "no value at all"])
async def test_a_value_that_cannot_be_stored_fails_its_own_write_only(notes: SqliteDatabase, value: object):
    before, bad, after = await asyncio.gather(
        notes.write(Step(INSERT, ("a",))),
        notes.write(Step(INSERT, ("half",)), Step(INSERT, (value,))),
        notes.write(Step(INSERT, ("b",))),
        return_exceptions=True,
    )
    assert (before, after) == ([[]], [[]])
    assert isinstance(bad, Exception)
    assert not isinstance(bad, Unavailable)
    assert await notes.read("SELECT text FROM notes ORDER BY text") == [("a",), ("b",)]


async def test_a_database_that_another_holds_is_unavailable_to_writers_and_open_to_readers(
    notes: SqliteDatabase, tmp_path: Path
):
    await notes.write(Step(INSERT, ("kept",)))
    await notes.write(Step("PRAGMA busy_timeout = 20"))
    with closing(sqlite3.connect(tmp_path / "data" / "service.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await notes.write(Step(INSERT, ("lost",)))
        assert await notes.read("SELECT text FROM notes") == [("kept",)]
        other.execute("ROLLBACK")
    await notes.write(Step(INSERT, ("later",)))
    assert await notes.read("SELECT text FROM notes ORDER BY text") == [("kept",), ("later",)]


async def test_a_migration_that_fails_leaves_nothing_of_any(tmp_path: Path):
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE audit (a)")  # the fourth migration makes one
    with pytest.raises(StartError, match="audit already exists"):
        await open_sqlite(path, 1)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("audit",)]
        other.execute("DROP TABLE audit")
    await (await open_sqlite(path, 1)).close()


async def test_a_damaged_file_is_unavailable_and_told_to_the_operator(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "x.db"
    database = await open_sqlite(path, 1)
    await database.write(Step("CREATE TABLE notes (text TEXT)"), *(Step(INSERT, ("x" * 3000,)) for _ in range(100)))
    await database.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"damage" * 10_000)
    database = await open_sqlite(path, 1)
    with pytest.raises(Unavailable):
        await database.read("SELECT text FROM notes")
    assert "could not be read" in caplog.text
    await database.close()
