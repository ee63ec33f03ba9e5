"""GET /openapi.json, and the page that shows it: Swagger UI, from this machine alone."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from service.errors import NotFound
from service.web.openapi import document

if TYPE_CHECKING:
    from service.web.routes import Route

# The routes name the handlers of this module, so they come to it through the application.
ROUTES: web.AppKey[tuple[Route, ...]] = web.AppKey("ROUTES")

_FOLDER: Final = Path(__file__).parent / "static" / "docs"
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_PAGE: Final = "index.html"
_TYPES: Final = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "initializer.js": "text/javascript; charset=utf-8",
}


async def get_openapi(request: web.Request) -> web.Response:
    headers = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-cache"}
    return web.Response(body=_encoded(request.app[ROUTES]), headers=headers)


async def get_docs(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(_FOLDER / _PAGE, headers={**_HEADERS, "Content-Type": "text/html; charset=utf-8"})


async def get_docs_asset(request: web.Request) -> web.FileResponse:
    name = request.match_info["asset"]
    if name not in _TYPES:
        raise NotFound
    headers = {**_HEADERS, "Content-Type": _TYPES[name]}
    path = _FOLDER / name
    if not path.exists():
        # Kept compressed, and sent so to everybody: no browser is without gzip.
        path = path.with_name(name + ".gz")
        headers["Content-Encoding"] = "gzip"
    return web.FileResponse(path, headers=headers)


@functools.cache
def _encoded(routes: tuple[Route, ...]) -> bytes:
    return msgspec.json.encode(document(routes))
