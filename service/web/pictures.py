"""How stored pictures are shown: as links on our own origin, or as data urls."""

from __future__ import annotations

import re

from aiohttp import web

from service.domain.pictures import decode_pictures, source_of
from service.errors import NotFound
from service.models import Picture, Turn
from service.upstream.pictures import find_pictures, replace_links
from service.web.keys import PICTURES
from service.web.request_context import CONTEXT

# As a field of the JSON: in a text the quotes would be escaped, so nobody can write this into a message.
_STORED_FILE = re.compile(r'"url":"file:([0-9a-f]{40}\.[a-z]{3,4})"', re.ASCII)


# What a client says in `Host` may be anything; this is what may stand in a link, in JSON and in Markdown.
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?", re.ASCII)
_MOST_INLINE_BYTES = 16 << 20


def link_to(request: web.Request, name: str) -> str:
    """A link to a stored file, on PUBLIC_URL or the origin that the client has used."""
    return f"{request[CONTEXT].settings.public_url or _origin(request)}{request.app[PICTURES].link(name)}"


def _origin(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}" if _HOST.fullmatch(request.host) else ""


def list_links(request: web.Request, turn: Turn) -> list[str]:
    """A link to each of the turn's pictures."""
    if turn.images == "[]":
        return []
    return [_link(request, picture) for picture in decode_pictures(turn.images)]


async def list_shown(request: web.Request, turn: Turn, response_format: str | None = None) -> list[str]:
    """What to show: links where we have a public origin, else data urls; `response_format` says otherwise.

    Beyond 16 MiB of pictures in one answer the rest are links all the same.
    """
    inline = response_format == "b64" or (response_format is None and not request[CONTEXT].settings.public_url)
    if not inline:
        return list_links(request, turn)
    shown: list[str] = []
    room_bytes = _MOST_INLINE_BYTES
    for picture in decode_pictures(turn.images):
        try:
            room_bytes -= request.app[PICTURES].size_of(picture.name)
            inline = room_bytes >= 0
            shown.append(await request.app[PICTURES].data_url(picture.name) if inline else _link(request, picture))
        except NotFound:  # swept, or never fetched
            shown.append(_link(request, picture))
    return shown


def reply_of(request: web.Request, turn: Turn) -> str:
    """The reply, with links to pictures made ours: the upstream's expire in hours, or hold the whole picture."""
    if turn.images == "[]":
        return turn.reply
    pictures = [picture for picture in decode_pictures(turn.images) if picture.name and picture.source]
    links = {picture.source: link_to(request, picture.name) for picture in pictures}
    inline = {url: source_of(url) for url in find_pictures(turn.reply, shown_only=True) if url.startswith("data:")}
    links |= {url: links[source] for url, source in inline.items() if source in links}
    return replace_links(turn.reply, links)


def messages_of(request: web.Request, turn: Turn) -> bytes:
    """The turn's own messages as JSON, with links to their pictures."""
    if '"file:' not in turn.messages:
        return turn.messages.encode()
    return _STORED_FILE.sub(lambda found: f'"url":"{link_to(request, found[1])}"', turn.messages).encode()


def _link(request: web.Request, picture: Picture) -> str:
    return link_to(request, picture.name) if picture.name else picture.source
