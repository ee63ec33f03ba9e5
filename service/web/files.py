"""Stored pictures: GET by a link that says all that is needed, POST as `wx.uploadFile` and forms send them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from service.domain.file_links import FileLink
from service.domain.file_writer import StoredFile
from service.domain.pictures import mime_of
from service.errors import BadRequest, UnsupportedMedia
from service.web.answers import FileAnswer
from service.web.envelope import success
from service.web.identity import user_of
from service.web.keys import PICTURES
from service.web.pictures import link_to
from service.web.reading import read_query
from service.web.request_context import CONTEXT
from service.web.requests import FileQuery

_BLOCK_BYTES = 64 << 10
_MOST_PARTS = 20
_LONGEST_OPENID_BYTES = 1024


async def get_file(request: web.Request) -> web.StreamResponse:
    query = read_query(request, FileQuery)
    name = request.match_info["name"]
    path = request.app[PICTURES].path_of(FileLink(name, query.expires, query.signature))
    headers = {
        "Content-Type": mime_of(name),
        "Cache-Control": "private, max-age=86400, immutable",
        "X-Content-Type-Options": "nosniff",
        # Nothing in a picture may run, whoever opens it as a page.
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return web.FileResponse(path, headers=headers)


async def post_file(request: web.Request) -> web.StreamResponse:
    if request.content_type != "multipart/form-data":
        raise UnsupportedMedia("multipart_required")
    try:
        async with asyncio.timeout(request[CONTEXT].settings.body_timeout_seconds):
            return await _take_upload(request, await request.multipart())
    except TimeoutError:
        raise BadRequest("body_timeout") from None
    except (ValueError, AssertionError, BadHttpMessage):  # aiohttp's words for a form that is none
        raise BadRequest("invalid_request") from None


async def _take_upload(request: web.Request, form: MultipartReader) -> web.StreamResponse:
    """Read the form's file, and its `openid` where it has one: some clients send it behind the file."""
    openid: str | None = request.query.get("openid")
    stored: StoredFile | None = None
    for _ in range(_MOST_PARTS):
        part = await form.next()
        if not isinstance(part, BodyPartReader):
            break
        if part.filename is not None and stored is None:
            stored = await request.app[PICTURES].take(_chunks(part))
        elif part.name == "openid":
            openid = (await part.read_chunk(_LONGEST_OPENID_BYTES)).decode("utf-8", "replace")
    owner = user_of(request, openid)
    if stored is None:
        raise BadRequest("missing_field", field="file")
    await request.app[PICTURES].own(stored, owner)
    return success(FileAnswer(url=link_to(request, stored.name), name=stored.name, mime=stored.mime, size=stored.size))


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(_BLOCK_BYTES):
        yield chunk
