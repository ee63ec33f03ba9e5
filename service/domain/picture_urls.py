"""Which urls a user may give for a picture: those that somebody else can read."""

from __future__ import annotations

import re

from service.errors import BadRequest

# Where mini-programs keep pictures on the device: nobody else can read them there.
_TEMPORARY = re.compile(
    r"(wxfile|ttfile|bdfile|blob|file|content|_doc)[:/]|https?://(tmp|usr|store)[/_]", re.IGNORECASE
)
_DATA_URL = re.compile(r"data:image/(png|jpeg|jpg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}", re.ASCII)
_HTTPS = re.compile(r"https://[^\s/?#]+[^\s]*", re.ASCII)
_URL_CHARACTERS = 4096


def check_picture_url(url: str, field: str) -> None:
    """Raises: BadRequest unless it is an https address or a picture inline."""
    if _TEMPORARY.match(url):
        raise BadRequest("temporary_path", field=field)
    if url.startswith("data:"):
        if not _DATA_URL.fullmatch(url):
            raise BadRequest(field=field)
    elif len(url) > _URL_CHARACTERS or not _HTTPS.fullmatch(url):
        raise BadRequest(field=field)
