"""GET /: a chat page to try the service with; and the client file that it uses, and that every frontend may.

The page can be turned off (PLAYGROUND=off); the client file stays.
"""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path
from typing import Final

from aiohttp import ETag, web

from service.errors import NotFound
from service.web.request_context import CONTEXT

_STATIC: Final = Path(__file__).parent / "static"
_FOLDER: Final = _STATIC / "playground"
_CLIENT: Final = _STATIC / "chat-client.js"
# Replies hold whatever a model says: should ever a script get past the page's own care, it would not run.
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob: https:",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
_HEADERS: Final = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
_PAGE_HEADERS: Final = {**_HEADERS, "Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
_SCRIPT: Final = "text/javascript; charset=utf-8"
_TYPES: Final = {
    ".js": _SCRIPT,
    ".mjs": _SCRIPT,
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_EXPORT: Final = re.compile(rb"^export (?=\{.*\};\n\Z)", re.MULTILINE)


async def get_playground(request: web.Request) -> web.FileResponse:
    _require_switched_on(request)
    headers = {**_PAGE_HEADERS, "Content-Type": "text/html; charset=utf-8"}
    return web.FileResponse(_FOLDER / "index.html", headers=headers)


async def get_playground_part(request: web.Request) -> web.FileResponse:
    return _asset(request, _FOLDER, request.match_info["part"])


async def get_playground_library(request: web.Request) -> web.FileResponse:
    return _asset(request, _FOLDER / "vendor", request.match_info["library"])


async def get_client(_request: web.Request) -> web.FileResponse:
    """For `import`."""
    return web.FileResponse(_CLIENT, headers={**_HEADERS, "Content-Type": _SCRIPT})


async def get_client_types(_request: web.Request) -> web.FileResponse:
    headers = {**_HEADERS, "Content-Type": "text/plain; charset=utf-8"}
    return web.FileResponse(_CLIENT.with_suffix(".d.ts"), headers=headers)


async def get_client_to_require(request: web.Request) -> web.Response:
    """For `require`: the same source with another last line."""
    body, tag = _common_js(_CLIENT.stat().st_mtime_ns)
    known = request.if_none_match or ()
    if any(entry.value in (tag, "*") for entry in known):
        response = web.Response(status=304, headers=_HEADERS)
    else:
        response = web.Response(body=body, headers={**_HEADERS, "Content-Type": _SCRIPT})
    response.etag = ETag(tag)
    return response


def _asset(request: web.Request, folder: Path, name: str) -> web.FileResponse:
    _require_switched_on(request)
    # Found by comparing: no name of a request ever becomes a path.
    path = next((path for path in folder.iterdir() if path.name == name and path.suffix in _TYPES), None)
    if path is None:
        raise NotFound
    return web.FileResponse(path, headers={**_PAGE_HEADERS, "Content-Type": _TYPES[path.suffix]})


def _require_switched_on(request: web.Request) -> None:
    if not request[CONTEXT].settings.playground:
        raise NotFound


@functools.lru_cache(maxsize=1)
def _common_js(_changed_at_ns: int) -> tuple[bytes, str]:
    body = _EXPORT.sub(b"module.exports = ", _CLIENT.read_bytes())
    return body, hashlib.sha256(body).hexdigest()[:32]
