"""Numbered, append-only migrations: each is applied once, in order, and recorded in the database.

A migration is a file `NNNN_name.sql` of statements that end in `;` at the end of a line.
"""

from __future__ import annotations

import sqlite3
from importlib import resources
from typing import NamedTuple

from service.errors import StartError

_RECORD = """CREATE TABLE IF NOT EXISTS schema_migrations (
    version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)"""


class Migration(NamedTuple):
    version: int
    name: str
    statements: tuple[str, ...]


def list_migrations() -> list[Migration]:
    folder = resources.files("service.storage") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [_parse(file.name.removesuffix(".sql"), file.read_text("utf-8")) for file in files]


def migrate(connection: sqlite3.Connection, now_ms: int) -> None:
    """Bring the database to the newest version, in one transaction: all that is missing, or nothing.

    Raises: StartError when the database comes from a newer service.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        for migration in _missing(connection):
            _apply(connection, migration, now_ms)
        # Changes nothing, and tells now of a file that can be read only.
        connection.execute("UPDATE schema_migrations SET applied_at = applied_at")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _missing(connection: sqlite3.Connection) -> list[Migration]:
    known = list_migrations()
    connection.execute(_RECORD)
    applied = {version for (version,) in connection.execute("SELECT version FROM schema_migrations")}
    if applied - {migration.version for migration in known}:
        raise StartError("The database was written by a newer version of this service; upgrade the service.")
    return [migration for migration in known if migration.version not in applied]


def _apply(connection: sqlite3.Connection, migration: Migration, now_ms: int) -> None:
    for statement in migration.statements:
        connection.execute(statement)
    connection.execute(
        "INSERT INTO schema_migrations (version, name, applied_at) VALUES (?, ?, ?)",
        (migration.version, migration.name, now_ms),
    )


def _parse(name: str, text: str) -> Migration:
    number, _, title = name.partition("_")
    statements = (statement.strip() for statement in text.split(";\n"))
    return Migration(int(number), title, tuple(statement for statement in statements if statement))
