"""Users: their profile, and their end."""

from __future__ import annotations

from service.clock import Clock
from service.domain.pictures import Pictures
from service.domain.turns import Turns
from service.models import User
from service.storage.users import UserStore


class Accounts:
    def __init__(self, store: UserStore, turns: Turns, pictures: Pictures, clock: Clock) -> None:
        self._store = store
        self._turns = turns
        self._pictures = pictures
        self._clock = clock

    async def get(self, openid: str) -> User:
        """The user; one that was never seen has an empty profile, and is not made by asking."""
        return await self._store.find(openid) or User(openid)

    async def see(self, openid: str) -> bool:
        """Note that a user was here; True for the first time."""
        return await self._store.save(openid, self._clock.now_ms())

    async def change(self, openid: str, *, nickname: str | None, avatar: str | None, email: str | None) -> User:
        """Change what is not None."""
        await self._store.save(openid, self._clock.now_ms(), nickname=nickname, avatar=avatar, email=email)
        return await self.get(openid)

    async def erase(self, openid: str) -> int:
        """Leave no row and no file of the user; returns how many there were."""
        await self._turns.stop_user(openid)
        return await self._pictures.erase(openid) + await self._store.erase(openid)
