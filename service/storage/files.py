"""Whose files are whose."""

from __future__ import annotations

from collections.abc import Iterable

from service.storage.database import Database, Step


class FileOwnerStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, name: str, openid: str, now_ms: int) -> None:
        await self._database.write(
            Step("INSERT INTO files VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", (name, openid, now_ms))
        )

    async def forget(self, names: Iterable[str]) -> None:
        """Drop the rows of files that are gone."""
        steps = [Step("DELETE FROM files WHERE name = $1", (name,)) for name in names]
        if steps:
            await self._database.write(*steps)

    async def release(self, openid: str) -> list[str]:
        """Drop a user's rows; returns the names that nobody else has."""
        mine, _ = await self._database.write(
            Step(
                """SELECT name FROM files WHERE openid = $1 AND NOT EXISTS
                    (SELECT 1 FROM files AS other WHERE other.name = files.name AND other.openid <> $1)""",
                (openid,),
            ),
            Step("DELETE FROM files WHERE openid = $1", (openid,)),
        )
        return [name for (name,) in mine]
