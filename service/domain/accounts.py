"""Users: their profile, and their end."""

from __future__ import annotations

from service.clock import Clock
from service.models import User
from service.storage.users import UserStore


class Accounts:
    def __init__(self, store: UserStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def get(self, openid: str) -> User:
        """The user; one that was never seen has an empty profile, and is not made by asking."""
        return await self._store.find(openid) or User(openid)

    async def change(self, openid: str, *, nickname: str | None, avatar: str | None, email: str | None) -> User:
        """Change what is not None."""
        await self._store.save(openid, self._clock.now_ms(), nickname=nickname, avatar=avatar, email=email)
        return await self.get(openid)
