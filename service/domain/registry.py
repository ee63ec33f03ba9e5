"""The turns that run in this process, found by id and by idempotency key, and how many there may be."""

from __future__ import annotations

from collections.abc import Iterator

from service.domain.running import RunningTurn
from service.errors import TooManyRequests, Unavailable
from service.models import Turn
from service.settings import Settings


class Registry:
    """`closed` is set when the service stops: nothing is added any more."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._by_id: dict[str, RunningTurn] = {}
        self._by_key: dict[tuple[str, str], RunningTurn] = {}
        self._per_user: dict[str, int] = {}
        self.closed = False

    def __iter__(self) -> Iterator[RunningTurn]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def find(self, turn_id: str) -> RunningTurn | None:
        return self._by_id.get(turn_id)

    def find_by_key(self, openid: str, idempotency_key: str) -> RunningTurn | None:
        return self._by_key.get((openid, idempotency_key))

    def add(self, turn: Turn) -> RunningTurn:
        """Raises: TooManyRequests for the user's own limit, Unavailable for that of all."""
        if self.closed:
            raise Unavailable("stopping")
        if len(self._by_id) >= self._settings.max_turns:
            raise Unavailable("overloaded")
        if self._per_user.get(turn.openid, 0) >= self._settings.max_turns_per_user:
            raise TooManyRequests("too_many_turns", retry_after_seconds=5)
        running = RunningTurn(turn)
        self._by_id[turn.turn_id] = running
        self._per_user[turn.openid] = self._per_user.get(turn.openid, 0) + 1
        if turn.idempotency_key is not None:
            self._by_key[turn.openid, turn.idempotency_key] = running
        return running

    def remove(self, turn: Turn) -> None:
        del self._by_id[turn.turn_id]
        self._per_user[turn.openid] -= 1
        if not self._per_user[turn.openid]:
            del self._per_user[turn.openid]
        if turn.idempotency_key is not None:
            del self._by_key[turn.openid, turn.idempotency_key]
