"""The headers of every answer, and CORS on it: aiohttp-cors where a route answers, and what it leaves out.

It sets nothing on a 404, a 405 or an answer to an unknown preflight, never `Vary: Origin`, and refuses an OPTIONS that
is no preflight.
"""

from __future__ import annotations

import aiohttp_cors
from aiohttp import web
from aiohttp.typedefs import Handler

from service.settings import Settings
from service.web.answer_headers import told_headers
from service.web.request_context import CONTEXT

EXPOSED = ("X-Request-ID", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
_MAX_AGE_SECONDS = 600


def set_up(app: web.Application, settings: Settings) -> None:
    """Enable CORS on all routes that the application has by now, and complete the headers of every answer."""
    # Never with credentials: `*` echoes any origin, and there are no cookies here.
    options = aiohttp_cors.ResourceOptions(  # type: ignore[no-untyped-call]
        expose_headers=EXPOSED, allow_headers="*", allow_methods=["GET", "POST"], max_age=_MAX_AGE_SECONDS
    )
    cors = aiohttp_cors.setup(app, defaults=dict.fromkeys(settings.cors_origins, options))
    for route in list(app.router.routes()):
        cors.add(route)
    tell_origins = app.on_response_prepare.pop()  # the library's own hook: one less that runs where no origin asks

    async def complete(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.popall("Server", None)
        response.headers.extend(told_headers(request))  # beside a `Vary` of its own
        if "Origin" in request.headers:
            await tell_origins(request, response)
            _tell_origin(request, response, settings)

    app.on_response_prepare.append(complete)


async def answer_options(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a preflight to any path, so that the real request can be told in an envelope what is wrong."""
    try:
        return await handler(request)
    except web.HTTPException as refused:
        if "Access-Control-Request-Method" in request.headers:
            is_allowed = _is_allowed(request, request[CONTEXT].settings)
            return web.Response(headers=_preflight_headers(request) if is_allowed else None)
        if refused.status != web.HTTPForbidden.status_code:
            raise
        return web.Response(headers={"Allow": _methods(request)})  # RFC 9110, 9.3.7


def _tell_origin(request: web.Request, response: web.StreamResponse, settings: Settings) -> None:
    headers = response.headers
    if "Access-Control-Allow-Origin" not in headers and _is_allowed(request, settings):
        headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        headers["Access-Control-Expose-Headers"] = ",".join(EXPOSED)


def _methods(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return ", ".join(sorted(route.method for route in resource or ()))


def _is_allowed(request: web.Request, settings: Settings) -> bool:
    origins = settings.cors_origins
    return "Origin" in request.headers and ("*" in origins or request.headers["Origin"] in origins)


def _preflight_headers(request: web.Request) -> dict[str, str]:
    return {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": request.headers.get("Access-Control-Request-Headers", ""),
        "Access-Control-Max-Age": str(_MAX_AGE_SECONDS),
    }
