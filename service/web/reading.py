"""Reading what a client sent: bodies and query values, checked against the types in `requests`."""

from __future__ import annotations

import asyncio
import re
from typing import TypeVar

import msgspec
from aiohttp import web

from service.errors import BadRequest, TooLarge, UnsupportedMedia
from service.web.request_context import CONTEXT

T = TypeVar("T")
Body = TypeVar("Body", bytes, bytearray)

SMALL_BYTES = 16 << 10
_JSON = "application/json"
_decoders: dict[type, msgspec.json.Decoder[object]] = {}
_PLACE = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")


async def read_json(request: web.Request, kind: type[T], *, most_bytes: int | None = None) -> T:
    """The body as the given type; an empty body is an empty object.

    Shape: `most_bytes` bounds what is small by nature below MAX_BODY_BYTES: nobody without a token shall fill memory.
    Raises: BadRequest, TooLarge, UnsupportedMedia.
    """
    _check_media_type(request)
    body = await _read_body(request, most_bytes)
    decoder = _decoders.get(kind) or _decoders.setdefault(kind, msgspec.json.Decoder(kind))
    try:
        return decoder.decode(body.removeprefix(b"\xef\xbb\xbf") or b"{}")  # type: ignore[return-value]
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("invalid_json") from None


def read_query(request: web.Request, kind: type[T]) -> T:
    """The query as the given type: numbers and booleans are told in text there.

    Raises: BadRequest.
    """
    try:
        return msgspec.convert(dict(request.query), kind, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None


async def _read_body(request: web.Request, most_bytes: int | None) -> bytes:
    settings = request[CONTEXT].settings
    limit = min(most_bytes or settings.max_body_bytes, settings.max_body_bytes)
    try:
        if request.content.is_eof():  # it came together with the head
            return _bounded(request.content.read_nowait(), limit)
        if (request.content_length or 0) > limit:
            raise TooLarge(limit_bytes=limit)
        async with asyncio.timeout(settings.body_timeout_seconds):
            return await _gather(request, limit)
    except TimeoutError:
        raise BadRequest("body_timeout") from None
    except (web.PayloadAccessError, ConnectionError, web.RequestPayloadError):
        raise BadRequest("body_incomplete") from None


async def _gather(request: web.Request, limit: int) -> bytes:
    """All of the body: chunks and compression tell no length before."""
    body = bytearray()
    async for block in request.content.iter_any():
        body += block
        _bounded(body, limit)
    return bytes(body)


def _bounded(body: Body, limit: int) -> Body:
    if len(body) > limit:
        raise TooLarge(limit_bytes=limit)
    return body


def _check_media_type(request: web.Request) -> None:
    """JSON, or nothing said; a form is most often a forgotten header. Many clients give a type to an empty body."""
    if request.headers.get("Content-Type", _JSON) == _JSON or not request.can_read_body:
        return
    charset = (request.charset or "utf-8").lower().replace("_", "-")
    if not re.fullmatch(r"application/(.+\+)?json", request.content_type) or charset not in ("utf-8", "utf8"):
        raise UnsupportedMedia


def _invalid(message: str) -> BadRequest:
    """The failure with msgspec's path as the contract writes it: `$.messages[2].content` is `messages[2].content`."""
    place = _PLACE.search(message)
    path = place[1] if place else ""
    missing = _MISSING.match(message)
    if missing:
        return BadRequest("missing_field", field=".".join(filter(None, (path, missing[1]))))
    return BadRequest("invalid_field", field=path) if path else BadRequest("invalid_request")
