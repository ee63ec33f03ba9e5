"""What is done every few minutes: old files, sessions and audit entries go."""

from __future__ import annotations

import asyncio
import logging

from service.clock import Clock
from service.domain.pace import Pace
from service.domain.pictures import Pictures
from service.errors import ServiceError
from service.settings import Settings
from service.storage.audit import AuditStore
from service.storage.refresh_tokens import RefreshTokenStore

_log = logging.getLogger(__name__)
_DAY_MS = 86_400_000


class Upkeep:
    def __init__(
        self,
        pictures: Pictures,
        refresh_tokens: RefreshTokenStore,
        audit: AuditStore,
        settings: Settings,
        clock: Clock,
        pace: Pace,
    ) -> None:
        self._pictures = pictures
        self._refresh_tokens = refresh_tokens
        self._audit = audit
        self._settings = settings
        self._clock = clock
        self._pace = pace

    async def run(self) -> None:
        """Go on until cancelled; what fails is tried again the next time."""
        while True:
            await asyncio.sleep(self._pace.upkeep_seconds)
            try:
                await self._sweep()
            except ServiceError as error:
                _log.warning("upkeep failed: %s", error.type)
            except Exception:
                _log.exception("upkeep failed")

    async def _sweep(self) -> None:
        now_ms = self._clock.now_ms()
        await self._pictures.sweep()
        await self._refresh_tokens.delete_expired(now_ms)
        if self._settings.audit_days:
            await self._audit.delete_before(now_ms - self._settings.audit_days * _DAY_MS)
