"""The idempotency key of a request."""

from __future__ import annotations

import re

from aiohttp import web

from service.errors import BadRequest


def key_of(request: web.Request, client_id: str | None) -> str | None:
    """The header's key, else the body's `client_id`.

    Raises: BadRequest when the header is not 1 to 128 visible ASCII characters.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return client_id
    if not re.fullmatch(r"[\x21-\x7e]{1,128}", key):
        raise BadRequest("invalid_field", field="Idempotency-Key")
    return key
