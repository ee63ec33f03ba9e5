"""Pictures brought home: whatever way one comes, it becomes a file of ours that somebody owns.

In stored messages a picture is `file:<name>`: it goes up inline, and out as a link that works for a while.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

import msgspec

from service.clock import Clock
from service.domain.file_links import FileLink, FileLinks
from service.domain.file_store import FileStore
from service.domain.file_writer import FileWriter, StoredFile
from service.domain.picture_types import PICTURE_TYPES, aigc_chunk
from service.domain.picture_urls import check_picture_url
from service.errors import BadRequest, ServiceError
from service.models import ImagePart, ImageUrl, Message, Picture, TextPart
from service.settings import Settings
from service.storage.files import FileOwnerStore
from service.upstream.base64_stream import decode_data_url
from service.upstream.downloads import Downloader

_log = logging.getLogger(__name__)

FILE: Final = "file:"
LARGEST_PICTURE_BYTES: Final = 64 << 20
_MOST_PICTURES = 20
_MIME = {kind.extension: kind.mime for kind in PICTURE_TYPES}


class Pictures:
    def __init__(
        self,
        files: FileStore,
        owners: FileOwnerStore,
        downloader: Downloader,
        links: FileLinks,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._files = files
        self._owners = owners
        self._downloader = downloader
        self._links = links
        self._settings = settings
        self._clock = clock

    def new_file(self) -> AbstractAsyncContextManager[FileWriter]:
        """A file for a picture that was generated: labelled as such where that is set."""
        producer = self._settings.aigc_producer
        chunk = aigc_chunk(producer=producer, produce_id=secrets.token_hex(16)) if producer else b""
        return self._files.new_file(limit_bytes=LARGEST_PICTURE_BYTES, png_chunk=chunk)

    async def own(self, stored: StoredFile, openid: str, source: str = "") -> Picture:
        await self._owners.add(stored.name, openid, self._clock.now_ms())
        return Picture(stored.name, source)

    async def bring(self, url: str, openid: str) -> Picture:
        """Fetch what the upstream linked to. Raises: UpstreamError, Unavailable."""
        async with self.new_file() as file:
            if url.startswith("data:"):
                await _decode(url, file)
                return await self.own(await file.finish(), openid)
            await self._downloader.fetch(url, file.write, from_upstream=True)
            return await self.own(await file.finish(), openid, url)

    async def bring_all(self, urls: Sequence[str], openid: str) -> tuple[Picture, ...]:
        """Fetch what can be had; a link that cannot be fetched stays a link."""
        found = await asyncio.gather(
            *(self.bring(url, openid) for url in urls[:_MOST_PICTURES]), return_exceptions=True
        )
        kept: list[Picture] = []
        for url, picture in zip(urls, found, strict=False):
            if isinstance(picture, Picture):
                kept.append(picture)
            elif not isinstance(picture, ServiceError):
                raise picture
            elif not url.startswith("data:"):
                kept.append(Picture("", url))
        return tuple(kept)

    async def adopt(self, url: str, openid: str, field: str) -> str:
        """A user's picture as `file:<name>`, or as the https url that it is. Raises: BadRequest with the field."""
        link = self._links.find(url)
        if link is None:
            check_picture_url(url, field)
        try:
            if link is not None:
                self.path_of(link)
                await self._owners.add(link.name, openid, self._clock.now_ms())
                return FILE + link.name
            if url.startswith("data:") or self._settings.picture_urls == "fetch":
                return FILE + (await self._take(url, openid)).name
        except ServiceError as error:
            if error.code >= 500 and error.type != "picture_unavailable":
                raise
            raise BadRequest("unsupported_picture", field=field) from None
        return url

    async def adopt_messages(self, messages: Sequence[Message], openid: str) -> list[Message]:
        """The messages with their pictures adopted. Raises: BadRequest."""
        return [await self._adopt_message(message, openid, f"messages[{n}]") for n, message in enumerate(messages)]

    async def inline(self, url: str) -> str:
        """A url as the upstream can read it: our own files as data urls."""
        if not url.startswith(FILE):
            return url
        return await self.data_url(url.removeprefix(FILE))

    async def inline_messages(self, messages: Sequence[Message]) -> list[Message]:
        """The messages as the upstream can read them."""
        return [await self._inline_message(message) for message in messages]

    async def data_url(self, name: str) -> str:
        """Raises: NotFound when the file has been swept."""
        path = self._files.path_of(name)
        content = await asyncio.to_thread(path.read_bytes)
        return f"data:{mime_of(name)};base64,{base64.b64encode(content).decode()}"

    async def take(self, chunks: AsyncIterator[bytes], openid: str) -> StoredFile:
        """Keep a picture that a user uploads. Raises: TooLarge, UnsupportedMedia, Unavailable."""
        async with self._files.new_file(limit_bytes=self._settings.max_body_bytes) as file:
            async for chunk in chunks:
                await file.write(chunk)
            stored = await file.finish()
        await self.own(stored, openid)
        return stored

    def path_of(self, link: FileLink) -> Path:
        """Where the file of a link is. Raises: NotFound for a link that is not good, or a file that is gone."""
        self._links.check(link, self._clock.now_ms())
        return self._files.path_of(link.name)

    def link(self, name: str) -> FileLink:
        return self._links.make(name, self._clock.now_ms())

    async def erase(self, openid: str) -> int:
        """Remove a user's files, but for those that somebody else has too; returns how many."""
        names = await self._owners.release(openid)
        for name in names:
            await self._files.remove(name)
        return len(names)

    async def sweep(self) -> None:
        await self._owners.forget(await self._files.sweep())

    async def _take(self, url: str, openid: str) -> Picture:
        async with self._files.new_file(limit_bytes=LARGEST_PICTURE_BYTES) as file:
            if url.startswith("data:"):
                await _decode(url, file)
            else:
                await self._downloader.fetch(url, file.write)
            return await self.own(await file.finish(), openid)

    async def _adopt_message(self, message: Message, openid: str, field: str) -> Message:
        if isinstance(message.content, str):
            return message
        fields = (f"{field}.content[{n}]" for n in range(len(message.content)))
        parts = zip(message.content, fields, strict=True)
        return Message(message.role, [await self._adopt_part(part, openid, place) for part, place in parts])

    async def _inline_message(self, message: Message) -> Message:
        if isinstance(message.content, str):
            return message
        return Message(message.role, [await self._inline_part(part) for part in message.content])

    async def _adopt_part(self, part: TextPart | ImagePart, openid: str, field: str) -> TextPart | ImagePart:
        if isinstance(part, TextPart):
            return part
        url = await self.adopt(part.image_url.url, openid, f"{field}.image_url.url")
        return ImagePart(ImageUrl(url, part.image_url.detail))

    async def _inline_part(self, part: TextPart | ImagePart) -> TextPart | ImagePart:
        if isinstance(part, TextPart):
            return part
        return ImagePart(ImageUrl(await self.inline(part.image_url.url), part.image_url.detail))


async def _decode(url: str, file: FileWriter) -> None:
    try:
        for block in decode_data_url(url):
            await file.write(block)
    except ValueError:
        raise BadRequest("unsupported_picture", field="url") from None


def mime_of(name: str) -> str:
    return _MIME[name.rpartition(".")[2]]


def encode_pictures(pictures: Sequence[Picture]) -> str:
    return msgspec.json.encode(pictures).decode()


def decode_pictures(text: str) -> list[Picture]:
    return msgspec.json.decode(text, type=list[Picture])
