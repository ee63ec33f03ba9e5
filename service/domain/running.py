"""A turn while it runs: what has arrived of its answer, and who is watching."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from service.domain.text_log import TextLog
from service.errors import BadRequest, ServiceError
from service.models import Completion, Picture, Piece, Turn, Usage


class Cursor(msgspec.Struct, frozen=True):
    """A place in a turn's answer, in characters: it means the same wherever the row can be read."""

    reply: int = 0
    reasoning: int = 0

    def __str__(self) -> str:
        return f"{self.reply}-{self.reasoning}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Raises: BadRequest."""
        found = re.fullmatch(r"([0-9]{1,12})-([0-9]{1,12})", text, re.ASCII)
        if not found:
            raise BadRequest("invalid_field", field="after")
        return cls(int(found[1]), int(found[2]))


_START: Final = Cursor()


class RunningTurn:
    """Grows by `add` until `end`; each watcher's callback is called on every change.

    Units: `started_at`, `first_piece_at` and `unwatched_since` in seconds of the monotonic clock.
    """

    __slots__ = (
        "_watchers",
        "ended",
        "finish_reason",
        "first_piece_at",
        "generated_tokens",
        "links",
        "model",
        "notice",
        "pictures",
        "reasoning",
        "reply",
        "saved",
        "started_at",
        "stop_error",
        "stop_status",
        "stored",
        "task",
        "trouble",
        "turn",
        "unwatched_since",
        "usage",
        "working",
    )

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.reply = TextLog()
        self.reasoning = TextLog()
        self.links: tuple[str, ...] = ()  # what the upstream attached
        self.pictures: tuple[Picture, ...] = ()
        self.usage: Usage | None = None
        self.model = turn.model
        self.finish_reason: str | None = None
        self.notice = turn.notice
        self.first_piece_at: float | None = None
        self.generated_tokens = 0  # an estimate, where not all that is generated is shown
        self.working = False
        self.ended = False
        self.stored = False  # the row is there
        self.trouble: ServiceError | None = None  # it could not be opened, or its end cannot be stored for now
        self.saved = _START
        self.stop_status: str | None = None
        self.stop_error: ServiceError | None = None
        self.started_at = 0.0
        self.unwatched_since: float | None = time.monotonic()
        self.task: asyncio.Task[None] | None = None
        self._watchers: list[Callable[[], None]] = []

    def add(self, piece: Piece | Completion) -> None:
        """Take what one read of the upstream has brought."""
        if piece.reasoning:
            self.reasoning.append(piece.reasoning)
        if piece.reply:
            self.reply.append(piece.reply)
        if piece.images:
            self.links += tuple(link for link in piece.images if link not in self.links)
        self.usage = piece.usage or self.usage
        self.model = piece.model or self.model
        self.finish_reason = piece.finish_reason or self.finish_reason
        if self.first_piece_at is None:
            self.first_piece_at = time.monotonic()
        self.tell()

    def count(self, usage: Usage | None) -> None:
        """Add what one of several calls has used."""
        if usage is not None:
            before = self.usage or Usage()
            self.usage = Usage(
                before.prompt_tokens + usage.prompt_tokens, before.completion_tokens + usage.completion_tokens
            )

    def stop(self, status: str, error: ServiceError | None = None) -> None:
        """Cancel the work, with the status that the turn shall have; the first to stop it decides."""
        if self.stop_status is None:
            self.stop_status, self.stop_error = status, error
            if self.working and self.task:
                self.task.cancel()

    def recall(self) -> None:
        """Take back the reply: the content check refused it."""
        self.reply = TextLog()
        self.reasoning = TextLog()
        self.tell()

    def end(self, turn: Turn) -> None:
        """The end is stored: from now on the row is the turn."""
        self.turn = turn
        self.ended = True
        self.trouble = None
        self.tell()

    def tell(self) -> None:
        for watcher in self._watchers:
            watcher()

    def watch(self, watcher: Callable[[], None]) -> None:
        self._watchers.append(watcher)
        self.unwatched_since = None

    def unwatch(self, watcher: Callable[[], None]) -> None:
        self._watchers.remove(watcher)
        if not self._watchers:
            self.unwatched_since = time.monotonic()

    def attend(self) -> Callable[[], None]:
        """Count somebody as a watcher who needs no calls, until what is returned is called."""
        self.watch(_nothing)
        return partial(self.unwatch, _nothing)

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.reply.length, self.reasoning.length)

    @property
    def images(self) -> str:
        """The pictures as the row has them."""
        return msgspec.json.encode(self.pictures).decode() if self.pictures else "[]"

    def snapshot(self) -> Turn:
        """The turn with what has arrived so far."""
        if self.ended:
            return self.turn
        return msgspec.structs.replace(
            self.turn,
            reply=str(self.reply),
            reasoning=str(self.reasoning),
            images=self.images,
            model=self.model,
        )


def _nothing() -> None:
    pass
