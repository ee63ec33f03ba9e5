"""The rhythms that are not settings: tests make them shorter."""

from __future__ import annotations

import msgspec


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    ping_seconds: float = 10.0
    checkpoint_seconds: float = 1.0
    store_retry_seconds: float = 1.0
    write_timeout_seconds: float = 30.0
    access_log_seconds: float = 0.5
    upkeep_seconds: float = 600.0
    balance_cache_seconds: float = 60.0
