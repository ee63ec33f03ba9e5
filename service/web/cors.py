"""CORS on every answer: aiohttp-cors where a route answers, and what it leaves out.

It sets nothing on a 404, a 405 or an answer to an unknown preflight, never `Vary: Origin`, and refuses an OPTIONS that
is no preflight.
"""

from __future__ import annotations

import aiohttp_cors
from aiohttp import web
from aiohttp.typedefs import Handler

from service.settings import Settings
from service.web.envelope import new_request_id
from service.web.keys import REQUEST_ID, SETTINGS
from service.web.limits import tell_allowance

EXPOSED = ("X-Request-ID", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
_MAX_AGE_SECONDS = 600


def set_up(app: web.Application, settings: Settings) -> None:
    """Enable CORS on all routes that the application has by now."""
    # Never with credentials: `*` echoes any origin, and there are no cookies here.
    options = aiohttp_cors.ResourceOptions(  # type: ignore[no-untyped-call]
        expose_headers=EXPOSED, allow_headers="*", allow_methods=["GET", "POST"], max_age=_MAX_AGE_SECONDS
    )
    cors = aiohttp_cors.setup(app, defaults=dict.fromkeys(settings.cors_origins, options))
    for route in list(app.router.routes()):
        cors.add(route)
    app.on_response_prepare.append(_complete)
    app.on_response_prepare.append(tell_allowance)


@web.middleware
async def answer_preflights(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a preflight to any path, so that the real request can be told in an envelope what is wrong."""
    if request.method != "OPTIONS":
        return await handler(request)
    try:
        return await handler(request)
    except web.HTTPException as refused:
        if "Access-Control-Request-Method" in request.headers:
            return web.Response(headers=_preflight_headers(request) if _is_allowed(request) else None)
        if refused.status != web.HTTPForbidden.status_code:
            raise
        return web.Response(headers={"Allow": _methods(request)})  # RFC 9110, 9.3.7


async def _complete(request: web.Request, response: web.StreamResponse) -> None:
    headers = response.headers
    # aiohttp answers an unknown `Expect` before any middleware has seen the request.
    headers["X-Request-ID"] = request.get(REQUEST_ID) or new_request_id()
    headers.add("Vary", "Origin")
    headers.popall("Server", None)
    if "Access-Control-Allow-Origin" not in headers and _is_allowed(request):
        headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        headers["Access-Control-Expose-Headers"] = ",".join(EXPOSED)


def _methods(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return ", ".join(sorted(route.method for route in resource or ()))


def _is_allowed(request: web.Request) -> bool:
    origins = request.app[SETTINGS].cors_origins
    return "Origin" in request.headers and ("*" in origins or request.headers["Origin"] in origins)


def _preflight_headers(request: web.Request) -> dict[str, str]:
    return {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": request.headers.get("Access-Control-Request-Headers", ""),
        "Access-Control-Max-Age": str(_MAX_AGE_SECONDS),
    }
