"""A running demo and its client, and how to read what comes back."""

from __future__ import annotations

import asyncio
import json
import struct
import zlib
from typing import Any

import aiohttp

from service.demo import DemoUpstream

PNG_BYTES = b"\x89PNG\r\n\x1a\n"


class Demo:
    """A running demo, its client, and the pauses that it made."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.upstream = DemoUpstream(pause=self._pause)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    async def open(self) -> None:
        self.base_url = await self.upstream.start()
        self.session = aiohttp.ClientSession()

    async def close(self) -> None:
        await self.session.close()
        await self.upstream.close()

    async def post(self, path: str, **arguments: Any) -> tuple[int, Any]:
        async with self.session.post(self.base_url + path, **arguments) as response:
            return response.status, await response.json()

    async def ask(self, content: object, **more: object) -> tuple[int, Any]:
        return await self.post("/chat/completions", json=asked(content, **more))

    async def stream(self, content: object, **more: object) -> list[Any]:
        """The documents of a stream; the end mark is the string [DONE]."""
        body = asked(content, stream=True, **more)
        async with self.session.post(self.base_url + "/chat/completions", json=body) as response:
            assert response.status == 200
            assert response.content_type == "text/event-stream"
            events = (await response.text()).strip().split("\n\n")
        assert all(event.startswith("data: ") for event in events)
        data = [event.removeprefix("data: ") for event in events]
        return [text if text == "[DONE]" else json.loads(text) for text in data]

    async def picture(self, url: str) -> bytes:
        async with self.session.get(url) as response:
            assert response.status == 200
            assert response.content_type == "image/png"
            return await response.read()


def asked(content: object, **more: object) -> dict[str, object]:
    return {"model": "gpt-4o-all", "messages": [{"role": "user", "content": content}], **more}


def message(document: Any) -> Any:
    return document["choices"][0]["message"]


def joined(documents: list[Any], field: str) -> str:
    chunks = [document for document in documents if document != "[DONE]" and document.get("choices")]
    return "".join(chunk["choices"][0]["delta"].get(field, "") for chunk in chunks)


def png_size(picture: bytes) -> tuple[int, int]:
    """Read a PNG to its last pixel, as strictly as a browser would."""
    assert picture[:8] == PNG_BYTES
    place, chunks = 8, {}
    while place < len(picture):
        (length,) = struct.unpack(">I", picture[place : place + 4])
        name_and_data = picture[place + 4 : place + 8 + length]
        (checksum,) = struct.unpack(">I", picture[place + 8 + length : place + 12 + length])
        assert checksum == zlib.crc32(name_and_data)
        chunks[name_and_data[:4]] = name_and_data[4:]
        place += 12 + length
    width, height, depth, colour_type = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, colour_type, len(chunks[b"PLTE"])) == (8, 3, 768)
    assert len(zlib.decompress(chunks[b"IDAT"])) == (width + 1) * height
    assert list(chunks)[-1] == b"IEND"
    return width, height
