"""Links to stored files that work for a while, for whoever has them: a picture element sends no token."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import NamedTuple

from service.errors import NotFound

_DAY_SECONDS = 86400


class FileLink(NamedTuple):
    name: str
    expires_at: str
    signature: str

    def __str__(self) -> str:
        return f"/api/files/{self.name}?expires={self.expires_at}&signature={self.signature}"


class FileLinks:
    """Signs with the first key, accepts all of them."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._keys = keys

    def make(self, name: str, now_ms: int) -> FileLink:
        """A link for one to two days: the same all day long, so that caches keep the picture."""
        expires_at = str((now_ms // 1000 // _DAY_SECONDS + 2) * _DAY_SECONDS)
        return FileLink(name, expires_at, _sign(self._keys[0], name, expires_at))

    def check(self, link: FileLink, now_ms: int) -> None:
        """Raises: NotFound for a link that is forged or expired."""
        good = any(hmac.compare_digest(_sign(key, link.name, link.expires_at), link.signature) for key in self._keys)
        if not good or int(link.expires_at) * 1000 <= now_ms:
            raise NotFound("file_not_found")

    def find(self, url: str) -> FileLink | None:
        """The link in a url of ours, whatever its origin; not checked."""
        found = re.search(
            r"/api/files/([0-9a-f]{40}\.[a-z]{3,4})\?expires=([0-9]{1,12})&signature=([0-9a-f]{32})$", url, re.ASCII
        )
        return FileLink(*found.groups()) if found else None


def _sign(key: str, name: str, expires_at: str) -> str:
    signed = hmac.new(key.encode(), f"file:{name}:{expires_at}".encode(), hashlib.sha256)
    return signed.hexdigest()[:32]
