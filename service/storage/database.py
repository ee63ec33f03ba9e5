"""What the stores ask of an engine: one way to read, one way to write.

SQL is written once for every engine: `$1, $2` for arguments, RETURNING, ON CONFLICT, integers for times and
booleans, text for JSON.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

import msgspec

Row = tuple[Any, ...]


class Step(msgspec.Struct, frozen=True, gc=False):
    """One statement of a write. `must` says that it refuses the whole write unless it touches a row."""

    sql: str
    args: tuple[Any, ...] = ()
    must: bool = False


class StepRefused(Exception):
    """A step that must touch a row touched none; nothing of its write has happened. `index` tells which step."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


class Database(Protocol):
    async def read(self, sql: str, *args: Any, most_chars: int | None = None) -> list[Row]:
        """Run one query on what has been committed; end after the row that brings the texts to `most_chars`.

        Raises: Unavailable when the store cannot be read.
        """
        ...

    def write(self, *steps: Step) -> Awaitable[list[list[Row]]]:
        """Run the steps as one transaction and give, once it is durable, the rows of each.

        Raises: StepRefused; Unavailable when the store cannot be written.
        """
        ...

    async def check(self) -> None:
        """Raise Unavailable unless a write can be committed now."""
        ...

    async def close(self) -> None: ...
