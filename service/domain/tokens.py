"""Access tokens: short JWTs that say who is asking. They are checked without the store.

Claims (RFC 7519), for backends that mint their own with AUTH_SECRET and HS256: `sub` the openid, 1 to 128 printable
characters, and `exp` in seconds since the epoch; all others are ignored.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

import jwt
from jwt.types import Options

from service.clock import Clock
from service.errors import StartError, Unauthorized

ACCESS_SECONDS = 2 * 3600
_ALGORITHM = "HS256"
_CACHE_SIZE = 10_000
# `exp` is held against our clock in `openid_of`; a claim that is not ours refuses nobody.
_CHECKED: Final[Options] = {
    "require": ["exp", "sub"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_jti": False,
}


def is_openid(text: str) -> bool:
    """Whether a text can be the name of a user."""
    return 1 <= len(text) <= 128 and text.isprintable()


class AccessTokens:
    """Mints with the first secret, accepts all of them."""

    def __init__(self, keys: tuple[str, ...], clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        # Checking a signature takes 40 us: what was found valid stays so until it expires.
        self._valid: dict[str, tuple[str, int]] = {}

    def mint(self, openid: str) -> str:
        now = self._clock.now_ms() // 1000
        claims = {"sub": openid, "iat": now, "exp": now + ACCESS_SECONDS}
        return jwt.encode(claims, self._keys[0], algorithm=_ALGORITHM)

    def openid_of(self, token: str) -> str:
        """Whom the token speaks for.

        Raises: Unauthorized when it is forged, expired or not one of ours.
        """
        openid, expires_at = self._valid.get(token) or self._verify(token)
        if expires_at <= self._clock.now_ms() // 1000:
            self._valid.pop(token, None)
            raise Unauthorized("token_invalid")
        return openid

    def _verify(self, token: str) -> tuple[str, int]:
        for key in self._keys:
            try:
                claims = jwt.decode(token, key, algorithms=[_ALGORITHM], options=_CHECKED)
                found = (claims["sub"], int(claims["exp"]))
            except (jwt.InvalidTokenError, ArithmeticError, ValueError, TypeError):
                continue
            if not is_openid(found[0]):
                break
            if len(self._valid) >= _CACHE_SIZE:
                self._valid.clear()
            self._valid[token] = found
            return found
        raise Unauthorized("token_invalid")


def load_keys(configured: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """The configured secrets, or one that is made at the first start and kept in the data folder.

    Raises: StartError.
    """
    if configured:
        return configured
    path = folder / "auth_secret"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _write_private(path, secrets.token_urlsafe(48))
        kept = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"The secret {path} cannot be kept: {error}. Set AUTH_SECRET instead.") from None
    if len(kept) < 32:
        raise StartError(f"The secret in {path} is too short; delete the file or set AUTH_SECRET.")
    return (kept,)


def _write_private(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    with open(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
