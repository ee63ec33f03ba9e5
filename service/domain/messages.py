"""What messages may hold beyond their shape: pictures that the upstream can see."""

from __future__ import annotations

import re
from collections.abc import Sequence

from service.errors import BadRequest
from service.models import ImagePart, Message

# Where mini-programs keep pictures on the device: nobody else can read them there.
_TEMPORARY = re.compile(
    r"(wxfile|ttfile|bdfile|blob|file|content|_doc)[:/]|https?://(tmp|usr|store)[/_]", re.IGNORECASE
)
_DATA_URL = re.compile(r"data:image/(png|jpeg|jpg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}", re.ASCII)
_HTTPS = re.compile(r"https://[^\s/?#]+[^\s]*", re.ASCII)
_URL_CHARACTERS = 4096


def check_messages(messages: Sequence[Message]) -> None:
    """Raises: BadRequest with the path of the bad field."""
    for index, message in enumerate(messages):
        if isinstance(message.content, str):
            continue
        if not message.content:
            raise BadRequest(field=f"messages[{index}].content")
        for place, part in enumerate(message.content):
            if isinstance(part, ImagePart):
                check_picture_url(part.image_url.url, f"messages[{index}].content[{place}].image_url.url")


def check_picture_url(url: str, field: str) -> None:
    """Raises: BadRequest unless it is an https address or a picture inline."""
    if _TEMPORARY.match(url):
        raise BadRequest("temporary_path", field=field)
    if url.startswith("data:"):
        if not _DATA_URL.fullmatch(url):
            raise BadRequest(field=field)
    elif len(url) > _URL_CHARACTERS or not _HTTPS.fullmatch(url):
        raise BadRequest(field=field)
