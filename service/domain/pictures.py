"""Pictures brought home: whatever way one comes, it becomes a file of ours that somebody owns.

In stored messages a picture is `file:<name>`: it goes up inline, and out as a link that works for a while.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

import msgspec

from service.clock import Clock
from service.domain.file_links import FileLink, FileLinks
from service.domain.file_store import FileStore
from service.domain.file_writer import FileWriter, StoredFile
from service.domain.picture_parts import list_places, with_urls
from service.domain.picture_types import PICTURE_TYPES, aigc_chunk
from service.domain.picture_urls import check_picture_url
from service.errors import BadRequest, NotFound, ServiceError, TooLarge, UnsupportedMedia, UpstreamError
from service.models import Message, Picture
from service.settings import Settings
from service.storage.files import FileOwnerStore
from service.upstream.base64_stream import decode_data_url
from service.upstream.downloads import Downloader

_log = logging.getLogger(__name__)

FILE: Final = "file:"
LARGEST_PICTURE_BYTES: Final = 64 << 20
_MOST_PICTURES = 20
_MOST_GIVEN_BYTES = 32 << 20  # of one question: they go up together, inline
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
        await self._forget_swept()
        return Picture(stored.name, source)

    async def bring(self, url: str, openid: str) -> Picture:
        """Fetch what the upstream linked to. Raises: UpstreamError, Unavailable."""
        try:
            async with self.new_file() as file:
                stored = await self._receive(url, file, from_upstream=True)
        except ServiceError as error:
            if error.code >= 500:
                raise
            _log.warning("a picture that the upstream drew is not kept: %s", error.type)
            raise UpstreamError("picture_unavailable", retryable=True) from None
        return await self.own(stored, openid, source_of(url))

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

    async def adopt_all(self, places: Mapping[str, str], openid: str) -> dict[str, str]:
        """What each url that a user gave becomes: `file:<name>`, or the https url that it is.

        Shape: `places` has each url under the field that it stands in. Raises: BadRequest, NotFound, TooLarge,
        UpstreamError, each with the field; Unavailable.
        """
        too_many = list(places)[_MOST_PICTURES:]
        if too_many:
            raise BadRequest(field=too_many[0])
        work = (self._adopt(url, openid, field) for field, url in places.items())
        adopted: dict[str, str] = {}
        for url, name in zip(places.values(), await asyncio.gather(*work, return_exceptions=True), strict=True):
            if isinstance(name, BaseException):
                raise name
            adopted[url] = name
        given = (adopted[url].removeprefix(FILE) for url in places.values() if adopted[url].startswith(FILE))
        if sum(map(self.size_of, given)) > _MOST_GIVEN_BYTES:
            raise TooLarge(limit_bytes=_MOST_GIVEN_BYTES)
        return adopted

    async def adopt_messages(self, messages: Sequence[Message], openid: str) -> list[Message]:
        """The messages with their pictures adopted. Raises as `adopt_all`."""
        places = list_places(messages)
        return with_urls(messages, await self.adopt_all(places, openid)) if places else list(messages)

    async def inline(self, url: str) -> str:
        """A url as the upstream can read it: our own files as data urls."""
        if not url.startswith(FILE):
            return url
        return await self.data_url(url.removeprefix(FILE))

    async def inline_messages(self, messages: Sequence[Message]) -> list[Message]:
        """The messages as the upstream can read them; a file that has been swept is not there any more."""
        urls = set(list_places(messages).values())
        return with_urls(messages, {url: await self._inline_if_kept(url) for url in urls}) if urls else list(messages)

    async def _inline_if_kept(self, url: str) -> str | None:
        try:
            return await self.inline(url)
        except NotFound:
            return None

    async def data_url(self, name: str) -> str:
        """Raises: NotFound when the file has been swept."""
        path = self._files.path_of(name)
        try:
            content = await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            raise NotFound("file_not_found") from None
        return f"data:{mime_of(name)};base64,{base64.b64encode(content).decode()}"

    def size_of(self, name: str) -> int:
        """Units: bytes. Raises: NotFound when the file has been swept."""
        return self._files.path_of(name).stat().st_size

    async def take(self, chunks: AsyncIterator[bytes]) -> StoredFile:
        """Store an uploaded picture, nobody's yet. Raises: TooLarge, UnsupportedMedia, Unavailable."""
        async with self._files.new_file(limit_bytes=self._settings.max_body_bytes) as file:
            async for chunk in chunks:
                await file.write(chunk)
            return await file.finish()

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
        await self._files.sweep()
        await self._forget_swept()

    async def _forget_swept(self) -> None:
        # Nothing may come between: a file that is there again has its row written behind this.
        await self._owners.forget(self._files.take_swept())

    async def _adopt(self, url: str, openid: str, field: str) -> str:
        link = self._links.find(url)
        if link is None:
            check_picture_url(url, field)
        try:
            if link is not None:
                self.path_of(link)
                await self._owners.add(link.name, openid, self._clock.now_ms())
                return FILE + link.name
            if url.startswith("data:") or self._settings.picture_urls == "fetch":
                return FILE + (await self._fetch(url, openid)).name
        except UnsupportedMedia:
            raise BadRequest("unsupported_picture", field=field) from None
        except (NotFound, TooLarge, UpstreamError) as error:
            error.details["field"] = field
            raise
        return url

    async def _fetch(self, url: str, openid: str) -> Picture:
        """A picture that a user gave. Raises: UnsupportedMedia for one that is none, or not to be had; TooLarge."""
        try:
            async with self._files.new_file(limit_bytes=LARGEST_PICTURE_BYTES) as file:
                stored = await self._receive(url, file)
        except UpstreamError as error:
            if error.type == "upstream_timeout":  # not the model's
                raise UpstreamError("picture_unavailable", retryable=True) from None
            raise UnsupportedMedia("unsupported_picture") from None
        return await self.own(stored, openid)

    async def _receive(self, url: str, file: FileWriter, *, from_upstream: bool = False) -> StoredFile:
        if not url.startswith("data:"):
            await self._downloader.fetch(url, file.write, from_upstream=from_upstream)
            return await file.finish()
        try:
            for block in decode_data_url(url):
                await file.write(block)
        except ValueError:
            raise UnsupportedMedia("unsupported_picture") from None
        return await file.finish()


def source_of(url: str) -> str:
    """How a picture remembers where it came from: a data url is too long to be kept twice."""
    return f"data:{hashlib.sha256(url.encode()).hexdigest()}" if url.startswith("data:") else url


def mime_of(name: str) -> str:
    return _MIME[name.rpartition(".")[2]]


def decode_pictures(text: str) -> list[Picture]:
    return msgspec.json.decode(text, type=list[Picture])
