"""What holds for every request: an id, a line in the log, a count, and no failure that is not an envelope."""

from __future__ import annotations

import itertools
import logging
import re
import secrets
import time

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from service.errors import (
    InternalError,
    MethodNotAllowed,
    NotFound,
    ServiceError,
    TooLarge,
    TooManyRequests,
    Unavailable,
)
from service.metrics import Metrics
from service.settings import Settings
from service.tracing import child_of, traceparent
from service.web.access_log import AccessLog
from service.web.client_address import client_address
from service.web.cors import answer_options
from service.web.envelope import failure
from service.web.keys import METRICS
from service.web.request_context import CONTEXT, RequestContext

_log = logging.getLogger(__name__)
_CLIENT_IS_GONE = 499  # nginx's code for it; nobody is there to get it
_RUN = secrets.token_hex(4)
_numbers = itertools.count(1)
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def observing(settings: Settings, metrics: Metrics, access_log: AccessLog) -> Middleware:
    """The one middleware, the outermost of all: each that is wrapped round it costs every request."""

    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer, be it with an envelope; then log and count the request however it has ended."""
        started = time.perf_counter()
        context = request[CONTEXT] = _begin(request, settings)
        code = _CLIENT_IS_GONE
        try:
            response = await _answer(request, handler)
            if request.transport is not None:
                code = response.status
            return response
        finally:
            seconds = time.perf_counter() - started
            metrics.count_request(context.route, code, seconds)
            access_log.add(context, request.method, context.route, code, seconds)

    return observe


def _begin(request: web.Request, settings: Settings) -> RequestContext:
    headers = request.headers
    own = headers.get("X-Request-ID")
    trace = child_of(headers["traceparent"]) if "traceparent" in headers else None
    if trace is not None:  # for the task of this request alone: aiohttp gives each its own
        traceparent.set(trace)
    request_id = own if own and _SANE_ID.fullmatch(own) else f"{_RUN}-{next(_numbers):x}"
    return RequestContext(settings, request_id, client_address(request, settings.trusted_proxies), trace)


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The handler's answer, or its failure as an envelope, 404 and 405 included."""
    try:
        if request.method == "OPTIONS":  # aiohttp-cors answers it, and no handler of ours
            resource = request.match_info.route.resource
            request[CONTEXT].route = resource.canonical if resource else "unmatched"
            return await answer_options(request, handler)
        return await handler(request)
    except ServiceError as error:
        if isinstance(error, TooManyRequests | Unavailable):
            request.app[METRICS].count_refusal(error.type)
        return failure(request, error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return failure(request, _named(request, error))
    except Exception:
        _log.exception("request %s failed", request[CONTEXT].request_id)
        return failure(request, InternalError())


def _named(request: web.Request, error: web.HTTPException) -> ServiceError:
    """What aiohttp refuses by itself, as a failure of ours."""
    match error:
        case web.HTTPMethodNotAllowed():
            return MethodNotAllowed(allow=", ".join(sorted(error.allowed_methods)))
        case web.HTTPRequestEntityTooLarge():
            return TooLarge(limit_bytes=request[CONTEXT].settings.max_body_bytes)
        case web.HTTPNotFound():
            return NotFound()
        case _:
            return InternalError()
