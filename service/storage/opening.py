"""Which engine a DATABASE_URL names."""

from __future__ import annotations

from pathlib import Path

from service.metrics import Metrics
from service.settings import Settings
from service.storage.database import Database
from service.storage.sqlite import open_sqlite

_SQLITE = "sqlite:///"


async def open_database(url: str, now_ms: int, metrics: Metrics) -> Database:
    """Open the store. Raises: StartError."""
    return await open_sqlite(_path(url), now_ms, metrics)


def data_folder(settings: Settings) -> Path:
    """The folder of the database, where the service keeps what it makes for itself."""
    return _path(settings.database_url).parent


def _path(url: str) -> Path:
    """Three slashes: relative to the working folder; four: absolute."""
    return Path(url.removeprefix(_SQLITE))
