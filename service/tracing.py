"""W3C trace context: what a client's `traceparent` says goes on to the upstream, under a span of our own.

Source: https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)

traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
"""The header for calls that are made on behalf of the current request; tasks it starts inherit it."""


def child_of(header: str) -> str | None:
    """A `traceparent` with the same trace and a new span; None where the header is not sane."""
    found = _TRACEPARENT.fullmatch(header)
    if not found or set(found[1]) == {"0"} or set(found[2]) == {"0"}:
        return None
    return f"00-{found[1]}-{secrets.token_hex(8)}-{found[3]}"
