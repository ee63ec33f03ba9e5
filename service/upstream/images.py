"""One call of the images API: what is asked, and the pictures that came of it, on disk or still behind a link.

Pictures inside the answer go to disk as they arrive; none is ever whole in memory. It knows neither where files are
kept nor what a good picture is (the writer it is given does), nor how to get more pictures than one call brings.
Source: https://platform.openai.com/docs/api-reference/images
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Final, Generic, Protocol, TypeVar

import aiohttp
import msgspec

from service.errors import BadRequest, ServiceError, UpstreamError
from service.models import ImageAsk
from service.upstream.base64_stream import BlobScanner, Edge, Event, decode_data_url
from service.upstream.session import UpstreamSession
from service.upstream.wire import Unusable, read_json

logger = logging.getLogger(__name__)

_LARGEST_ANSWER_BYTES: Final = 512 << 20
_BLOB: Final = re.compile(r"blob:(\d{1,4})", re.ASCII)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Writer(Protocol[T_co]):
    """Takes one picture. A 4xx ServiceError of it means that the picture is not fit to be kept."""

    async def write(self, data: bytes, /) -> None: ...

    async def finish(self) -> T_co: ...


NewFile = Callable[[], AbstractAsyncContextManager[Writer[T]]]


class RemotePicture(msgspec.Struct, frozen=True):
    """A picture that the upstream only linked to: for the Downloader, soon."""

    url: str


async def draw(client: UpstreamSession, ask: ImageAsk, new_file: NewFile[T]) -> list[T | RemotePicture]:
    """Ask once, and give what came: at least one picture, perhaps fewer or more than were asked for.

    Raises: UpstreamError (`no_picture`, `picture_unavailable` when none was fit to be kept, and the client's),
    Unavailable; BadRequest for a reference that is no data or https url.
    """
    path = "/images/edits" if ask.references else "/images/generations"
    async with client.request("POST", path, **_request(ask)) as opened:
        try:
            blobs, rest = await _receive(client.chunks(opened), new_file)
            answer = read_json(rest)
        except Unusable as unusable:
            raise client.unusable(unusable, opened) from None
        pictures = list(_pictures(answer, blobs))
        if not pictures and isinstance(answer, dict) and answer.get("error"):
            raise client.unusable(Unusable("an error inside the answer", rest), opened)
    if not pictures:
        raise UpstreamError("picture_unavailable" if blobs else "no_picture", retryable=True)
    return pictures


def _request(ask: ImageAsk) -> dict[str, Any]:
    """A form with files is what every relay takes; links can only go as JSON."""
    fields: dict[str, Any] = {"prompt": ask.prompt, "n": ask.n, "size": ask.size, "user": ask.user}
    if ask.model:
        fields["model"] = ask.model
    if not ask.references:
        return {"body": msgspec.json.encode(fields)}
    if all(reference.startswith("data:") for reference in ask.references):
        files = [_file(reference, place) for place, reference in enumerate(ask.references)]
        return {"form": lambda: _form(fields, files)}
    references = [{"image_url": reference} for reference in ask.references]
    return {"body": msgspec.json.encode({**fields, "images": references})}


def _file(reference: str, place: int) -> tuple[str, bytes]:
    try:
        return reference[5 : reference.index(";")], b"".join(decode_data_url(reference))
    except ValueError:
        raise BadRequest("invalid_field", field=f"images[{place}]") from None


def _form(fields: dict[str, Any], files: list[tuple[str, bytes]]) -> aiohttp.FormData:
    form = aiohttp.FormData({name: str(value) for name, value in fields.items()}, default_to_multipart=True)
    name = "image" if len(files) == 1 else "image[]"
    for place, (mime, content) in enumerate(files):
        filename = f"image_{place}.{mime.rpartition('/')[2]}"
        form.add_field(name, io.BytesIO(content), filename=filename, content_type=mime)
    return form


async def _receive(chunks: AsyncIterator[bytes], new_file: NewFile[T]) -> tuple[list[T | None], bytes]:
    """The pictures in the answer, None for one that was refused, and the answer without them. Raises: Unusable."""
    scanner = BlobScanner()
    received_bytes = 0
    async with AsyncExitStack() as files:
        keeper = _Keeper(new_file, files)
        async for chunk in chunks:
            received_bytes += len(chunk)
            if received_bytes > _LARGEST_ANSWER_BYTES:
                raise Unusable(f"an answer above {_LARGEST_ANSWER_BYTES} bytes")
            try:
                events = scanner.feed(chunk)
            except ValueError as error:
                raise Unusable(f"{error} in an answer with pictures") from None
            for event in events:
                await keeper.take(event)
    return keeper.kept, scanner.rest()


class _Keeper(Generic[T]):
    """Writes the scanner's pictures to files; one that is refused does not spoil the others."""

    def __init__(self, new_file: NewFile[T], files: AsyncExitStack) -> None:
        self.kept: list[T | None] = []
        self._new_file = new_file
        self._files = files
        self._writer: Writer[T] | None = None

    async def take(self, event: Event) -> None:
        try:
            await self._take(event)
        except ServiceError as error:
            if error.code >= 500:
                raise
            logger.warning("a picture that the upstream drew is not kept: %s", error.type)
            self._writer = None

    async def _take(self, event: Event) -> None:
        if event is Edge.START:
            self.kept.append(None)
            self._writer = await self._files.enter_async_context(self._new_file())
        elif self._writer is None:
            return
        elif event is Edge.END:
            self.kept[-1] = await self._writer.finish()
        elif isinstance(event, bytes):
            await self._writer.write(event)


def _pictures(answer: object, blobs: Sequence[T | None]) -> Iterator[T | RemotePicture]:
    """What the answer lists, in its order, then what else was drawn in it, under whatever key."""
    unlisted = dict(enumerate(blobs))
    for item in _items(answer):
        for link in _links(item):
            found = _BLOB.fullmatch(link)
            picture = unlisted.pop(int(found[1]), None) if found else _remote(link)
            if picture is not None:
                yield picture
                break
    yield from (picture for picture in unlisted.values() if picture is not None)


def _items(answer: object) -> list[object]:
    items = (answer.get("data") or answer.get("images")) if isinstance(answer, dict) else answer
    return items if isinstance(items, list) else [items]


def _links(item: object) -> list[str]:
    links = [item.get("b64_json"), item.get("url")] if isinstance(item, dict) else [item]
    return [link for link in links if isinstance(link, str)]


def _remote(link: str) -> RemotePicture | None:
    return RemotePicture(link) if link.startswith(("https://", "http://")) else None
