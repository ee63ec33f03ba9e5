"""What a connection does here that aiohttp's own does not.

What is no HTTP never becomes a request: aiohttp answers it itself, in the words of its parser. Here it gets the
envelope that everybody gets. What came is not repeated, neither in the answer nor in the log: it may be a client's
token in a header that went wrong, and of scanners there is no end.

A client that leaves ends what is done for it alone. aiohttp's `handler_cancellation` would end every handler; one that
runs a turn must go on, and is only told.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.http import HttpProcessingError

from service.errors import BadRequest, InternalError
from service.web.envelope import failure_without_request
from service.web.request_context import CONTEXT


def use_own_protocol(server: web.Server, language: str) -> None:
    """Give this to the connections of a server; to be called before it has any."""
    server.handler_cancellation = False
    protocol, made = _protocol(language), server.connection_made

    def on_made(handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        # The server has no hook for the class of its protocols; `__slots__` are the same, so the change is allowed.
        handler.__class__ = protocol
        made(handler, transport)

    server.connection_made = on_made  # type: ignore[method-assign]


def _protocol(language: str) -> type[web.RequestHandler]:
    class Protocol(web.RequestHandler):
        __slots__ = ()

        def connection_lost(self, exc: BaseException | None) -> None:
            request, task = self._current_request, self._task_handler
            super().connection_lost(exc)
            if request is not None:
                _leave(request)
            elif task is not None:  # a request that has not begun, or the rest of a body that nobody wants
                task.cancel()

        def handle_error(
            self,
            request: web.BaseRequest,
            status: int = 500,
            exc: BaseException | None = None,
            message: str | None = None,
        ) -> web.StreamResponse:
            if status >= 500:
                super().handle_error(request, status, exc, message)  # logs it
            error = BadRequest("invalid_request") if status < 500 else InternalError()
            response = failure_without_request(error, language)
            # No signal comes by here: aiohttp would put its own name and version, and Python's.
            response.headers["Server"] = "mini-program-ai-backend"
            response.force_close()
            return response

        def log_exception(self, *args: Any, **details: Any) -> None:
            if not isinstance(details.get("exc_info"), HttpProcessingError | web.RequestPayloadError):
                super().log_exception(*args, **details)

    return Protocol


def _leave(request: web.BaseRequest) -> None:
    context = request.get(CONTEXT)
    if context is not None and context.on_leave is not None:
        context.on_leave()
    else:
        request.task.cancel()
