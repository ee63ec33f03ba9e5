"""What every refusal looks like, whatever was wrong."""

from __future__ import annotations

from typing import Any

from aiohttp import ClientResponse


def check_envelope(status: int, headers: Any, envelope: Any, code: int, type: str) -> Any:
    """HTTP status and code agree, nothing is missing, nothing of ours is told; gives the data."""
    assert (status, envelope["code"]) == (code, code), envelope
    assert set(envelope) == {"code", "msg", "data"}
    assert envelope["data"]["type"] == type, envelope
    assert envelope["data"]["request_id"] == headers["X-Request-ID"]
    assert envelope["msg"]
    assert not any(word in envelope["msg"] for word in ("Error", "Traceback", "expected", "`", "{", "}"))
    return envelope["data"]


async def check_refusal(response: ClientResponse, code: int, type: str, field: str | None = None) -> Any:
    """The answer is this refusal, and it names this field and no other."""
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    data = check_envelope(response.status, response.headers, await response.json(), code, type)
    assert data.get("field") == field, data
    return data
