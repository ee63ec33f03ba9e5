"""What the demo's handlers share of OpenAI's wire: JSON answers, errors, and how to wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiohttp import web

Pause = Callable[[float], Awaitable[object]]
"""Units: seconds."""

PAUSE: Final = web.AppKey[Pause]("pause")


def answer(document: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(document), status=status, content_type="application/json")


def failure(status: int, message: str) -> web.Response:
    return answer(error_document(message, "server_error" if status >= 500 else "invalid_request_error"), status)


def error_document(message: str, kind: str) -> dict[str, dict[str, str | None]]:
    """Shape: https://platform.openai.com/docs/guides/error-codes as the API really sends it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}
