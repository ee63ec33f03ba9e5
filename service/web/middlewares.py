"""What holds for every request: an id, and no failure that is not an envelope."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets

from aiohttp import web
from aiohttp.typedefs import Handler

from service.errors import InternalError, MethodNotAllowed, NotFound, ServiceError, TooLarge
from service.web.envelope import failure
from service.web.keys import REQUEST_ID, SETTINGS

_log = logging.getLogger(__name__)
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


@web.middleware
async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id: the client's own where that is sane."""
    own = request.headers.get("X-Request-ID", "")
    request[REQUEST_ID] = own if _SANE_ID.fullmatch(own) else secrets.token_hex(8)
    return await handler(request)


@web.middleware
async def envelop_failures(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every failure into an envelope, 404 and 405 included."""
    try:
        return await handler(request)
    except ServiceError as error:
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
