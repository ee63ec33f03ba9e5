"""What holds for every request: an id, and no failure that is not an envelope."""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import secrets
import time

from aiohttp import web
from aiohttp.typedefs import Handler

from service.errors import (
    InternalError,
    MethodNotAllowed,
    NotFound,
    ServiceError,
    TooLarge,
    TooManyRequests,
    Unavailable,
)
from service.tracing import child_of, traceparent
from service.web.envelope import failure
from service.web.keys import ACCESS_LOG, METRICS, REQUEST_ID, SETTINGS

_log = logging.getLogger(__name__)
_CLIENT_IS_GONE = 499  # nginx's code for it; nobody is there to get it
_RUN = secrets.token_hex(4)
_numbers = itertools.count(1)
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id and its trace, then log and count it however it ends."""
    started = time.perf_counter()
    own = request.headers.get("X-Request-ID")
    request[REQUEST_ID] = own if own and _SANE_ID.fullmatch(own) else f"{_RUN}-{next(_numbers):x}"
    # One task serves all requests of a connection: the trace of the one before must not stay.
    trace = child_of(request.headers["traceparent"]) if "traceparent" in request.headers else None
    traceparent.set(trace)
    code = _CLIENT_IS_GONE
    try:
        response = await handler(request)
        code = response.status
        return response
    finally:
        seconds = time.perf_counter() - started
        resource = request.match_info.route.resource
        route = resource.canonical if resource else "unmatched"
        request.app[METRICS].count_request(route, code, seconds)
        request.app[ACCESS_LOG].add(request, route, code, seconds, trace)


@web.middleware
async def envelop_failures(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every failure into an envelope, 404 and 405 included."""
    try:
        return await handler(request)
    except ServiceError as error:
        if isinstance(error, TooManyRequests | Unavailable):
            request.app[METRICS].count_refusal(error.type)
        return failure(request, error)
    except web.HTTPMethodNotAllowed as error:
        return failure(request, MethodNotAllowed(allow=", ".join(sorted(error.allowed_methods))))
    except web.HTTPRequestEntityTooLarge:
        return failure(request, TooLarge(limit_bytes=request.app[SETTINGS].max_body_bytes))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return failure(request, NotFound() if error.status == 404 else InternalError())
    except asyncio.CancelledError:
        raise
    except Exception:
        _log.exception("request %s failed", request[REQUEST_ID])
        return failure(request, InternalError())
