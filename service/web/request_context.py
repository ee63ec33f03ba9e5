"""What is known of a request while it is answered: one record, so that nobody has to look it up twice."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from aiohttp import web

from service.domain.limits import Allowance
from service.settings import Settings


class RequestContext:
    """Shape: `address` is the client's own, `openid` the one that a token names, `trace` the traceparent that goes on,
    `allowance` of the rate that was looked at last, `route` the template of the path. A client that leaves cancels its
    request, or calls `on_leave`, if the handler has set that."""

    __slots__ = ("address", "allowance", "on_leave", "openid", "request_id", "route", "settings", "trace")

    def __init__(self, settings: Settings, request_id: str, address: str, trace: str | None) -> None:
        self.settings = settings
        self.request_id = request_id
        self.address = address
        self.trace = trace
        self.openid: str | None = None
        self.allowance: Allowance | None = None
        self.route = "unmatched"
        self.on_leave: Callable[[], None] | None = None


CONTEXT = web.RequestKey("CONTEXT", RequestContext)


def new_request_id() -> str:
    """An id for what never became a request of ours."""
    return secrets.token_hex(8)
