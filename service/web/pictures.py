"""How stored pictures are shown: as links on our own origin, or as data urls."""

from __future__ import annotations

import re

from aiohttp import web

from service.domain.pictures import decode_pictures
from service.errors import NotFound
from service.models import Picture, Turn
from service.upstream.pictures import replace_links
from service.web.keys import PICTURES, SETTINGS

# As a field of the JSON: in a text the quotes would be escaped, so nobody can write this into a message.
_STORED_FILE = re.compile(r'"url":"file:([0-9a-f]{40}\.[a-z]{3,4})"', re.ASCII)


def link_to(request: web.Request, name: str) -> str:
    """A link to a stored file, on PUBLIC_URL or the origin that the client has used."""
    origin = request.app[SETTINGS].public_url or f"{request.scheme}://{request.host}"
    return f"{origin}{request.app[PICTURES].link(name)}"


def list_links(request: web.Request, turn: Turn) -> list[str]:
    """A link to each of the turn's pictures."""
    if turn.images == "[]":
        return []
    return [_link(request, picture) for picture in decode_pictures(turn.images)]


async def list_shown(request: web.Request, turn: Turn, response_format: str | None = None) -> list[str]:
    """What to show: links where we have a public origin, else data urls; `response_format` says otherwise."""
    inline = response_format == "b64" or (response_format is None and not request.app[SETTINGS].public_url)
    if not inline:
        return list_links(request, turn)
    return [await _data_url(request, picture) for picture in decode_pictures(turn.images)]


def reply_of(request: web.Request, turn: Turn) -> str:
    """The reply, with links to pictures made ours: the upstream's expire in hours."""
    if turn.images == "[]":
        return turn.reply
    pictures = [picture for picture in decode_pictures(turn.images) if picture.name and picture.source]
    return replace_links(turn.reply, {picture.source: link_to(request, picture.name) for picture in pictures})


def messages_of(request: web.Request, turn: Turn) -> bytes:
    """The turn's own messages as JSON, with links to their pictures."""
    if '"file:' not in turn.messages:
        return turn.messages.encode()
    return _STORED_FILE.sub(lambda found: f'"url":"{link_to(request, found[1])}"', turn.messages).encode()


def _link(request: web.Request, picture: Picture) -> str:
    return link_to(request, picture.name) if picture.name else picture.source


async def _data_url(request: web.Request, picture: Picture) -> str:
    try:
        return await request.app[PICTURES].data_url(picture.name)
    except NotFound:
        return _link(request, picture)
