"""What is special about the SQLite engine: one process, one writer, and faults that are told."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from service.errors import StartError, Unavailable
from service.storage.database import Step, StepRefused
from service.storage.migrations import list_migrations
from service.storage.sqlite import SqliteDatabase, open_sqlite

INSERT = "INSERT INTO notes VALUES ($1) ON CONFLICT DO NOTHING RETURNING text"


@pytest.fixture
async def notes(database: SqliteDatabase) -> SqliteDatabase:
    await database.write(Step("CREATE TABLE notes (text TEXT PRIMARY KEY)"))
    return database


async def read_notes(database: SqliteDatabase) -> list[str]:
    return [text for (text,) in await database.read("SELECT text FROM notes ORDER BY text")]


async def test_the_folder_and_the_file_are_private(tmp_path: Path):
    database = await open_sqlite(tmp_path / "new" / "x.db", 1)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new", tmp_path / "new" / "x.db")]
    await database.close()
    assert modes == [0o700, 0o600]


async def test_a_second_opening_is_refused_with_a_reason(tmp_path: Path):
    database = await open_sqlite(tmp_path / "x.db", 1)
    with pytest.raises(StartError, match="already uses"):
        await open_sqlite(tmp_path / "x.db", 1)
    await database.close()
    await (await open_sqlite(tmp_path / "x.db", 1)).close()


async def test_a_file_that_is_no_database_is_a_start_error(tmp_path: Path):
    (tmp_path / "x.db").write_bytes(b"this is not a database, whatever its name says" * 100)
    with pytest.raises(StartError, match="DATABASE_URL"):
        await open_sqlite(tmp_path / "x.db", 1)


async def test_a_folder_that_cannot_be_made_is_a_start_error(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="DATABASE_URL"):
        await open_sqlite(tmp_path / "file" / "x.db", 1)


async def test_writes_that_come_together_are_each_answered(notes: SqliteDatabase):
    results = await asyncio.gather(*(notes.write(Step(INSERT, (f"n{n % 50:02d}",))) for n in range(100)))
    assert sum(bool(rows) for (rows,) in results) == 50
    assert len(await read_notes(notes)) == 50


async def test_a_refused_write_leaves_nothing_and_spares_its_neighbours(notes: SqliteDatabase):
    await notes.write(Step(INSERT, ("taken",)))
    good, refused, last = await asyncio.gather(
        notes.write(Step(INSERT, ("a",))),
        notes.write(Step(INSERT, ("half",)), Step(INSERT, ("taken",), must=True)),
        notes.write(Step(INSERT, ("b",))),
        return_exceptions=True,
    )
    assert good == [[("a",)]]
    assert last == [[("b",)]]
    assert isinstance(refused, StepRefused)
    assert refused.index == 1
    assert await read_notes(notes) == ["a", "b", "taken"]


async def test_a_broken_constraint_fails_its_own_write_only(notes: SqliteDatabase):
    plain = "INSERT INTO notes VALUES ($1)"
    first, second = await asyncio.gather(
        notes.write(Step(plain, ("same",))), notes.write(Step(plain, ("same",))), return_exceptions=True
    )
    assert first == [[]]
    assert isinstance(second, sqlite3.IntegrityError)


async def test_what_was_written_is_read_at_once(notes: SqliteDatabase):
    for number in range(50):
        await notes.write(Step(INSERT, (f"{number:02d}",)))
        assert len(await read_notes(notes)) == number + 1


async def test_a_reader_cannot_write(notes: SqliteDatabase):
    with pytest.raises(Unavailable):
        await notes.read("INSERT INTO notes VALUES ('x') RETURNING text")


async def test_a_full_disk_is_a_503_and_what_was_acknowledged_stays(notes: SqliteDatabase):
    await notes.write(Step(INSERT, ("kept",)))
    ((pages,),) = await notes.read("PRAGMA page_count")
    await notes.write(Step(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(Unavailable) as caught:
        await notes.write(Step(INSERT, ("x" * 100_000,)))
    assert caught.value.type == "store_unavailable"
    assert await read_notes(notes) == ["kept"]
    await notes.write(Step("PRAGMA max_page_count = 100000"))
    await notes.write(Step(INSERT, ("later",)))
    assert await read_notes(notes) == ["kept", "later"]


async def test_a_cancelled_caller_does_not_stop_the_writer(notes: SqliteDatabase):
    task = asyncio.ensure_future(notes.write(Step(INSERT, ("a",))))
    await asyncio.sleep(0)
    task.cancel()
    await notes.write(Step(INSERT, ("b",)))
    assert "b" in await read_notes(notes)


async def test_migrations_are_recorded_and_run_once(tmp_path: Path):
    first = await open_sqlite(tmp_path / "x.db", 7)
    await first.close()
    second = await open_sqlite(tmp_path / "x.db", 8)
    rows = await second.read("SELECT version, applied_at FROM schema_migrations ORDER BY version")
    await second.close()
    assert rows == [(migration.version, 7) for migration in list_migrations()]


async def test_migrations_are_numbered_without_a_gap():
    assert [migration.version for migration in list_migrations()] == list(range(1, len(list_migrations()) + 1))


async def test_a_database_of_a_newer_service_is_left_alone(tmp_path: Path):
    database = await open_sqlite(tmp_path / "x.db", 1)
    await database.write(Step("INSERT INTO schema_migrations VALUES (9999, 'future', 1)"))
    await database.close()
    with pytest.raises(StartError, match="newer version"):
        await open_sqlite(tmp_path / "x.db", 1)


async def test_closing_leaves_one_file_without_a_wal(tmp_path: Path):
    database = await open_sqlite(tmp_path / "x.db", 1)
    await database.close()
    assert sorted(os.listdir(tmp_path)) == ["x.db", "x.db.lock"]
