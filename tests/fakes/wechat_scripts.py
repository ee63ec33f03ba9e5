"""Single answers of the fake WeChat: what the real one says, and what gateways in between have said."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from aiohttp import web

RID = "65d7e94d-59b8e5d7-0dc0ad08"

Script = Callable[[web.Request], Awaitable[web.StreamResponse]]


def plain(answer: object, *, status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(answer), status=status, content_type="text/plain")


def refusal(errcode: int, errmsg: str = "scripted") -> web.Response:
    return plain({"errcode": errcode, "errmsg": f"{errmsg}, rid: {RID}"})


def says(answer: object, *, status: int = 200) -> Script:
    """Answer with this JSON."""

    async def script(_: web.Request) -> web.StreamResponse:
        return plain(answer, status=status)

    return script


def refuses(errcode: int) -> Script:
    async def script(_: web.Request) -> web.StreamResponse:
        return refusal(errcode)

    return script


def writes(body: bytes, *, status: int = 200) -> Script:
    """Answer with these bytes, as a gateway in between would: a page, something cut, something huge."""

    async def script(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status, content_type="text/html")

    return script


def redirects(location: str) -> Script:
    async def script(_: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": location})

    return script


async def drops(request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
