"""The picture calls of the demo: generations, edits, and the pictures themselves.

Nothing is stored: a picture's URL bears the seed that it is drawn from.
Source: https://platform.openai.com/docs/api-reference/images
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import time
from typing import Annotated, Final, Literal

import msgspec
from aiohttp import web

from service.demo.drawing import draw
from service.demo.wire import PAUSE, answer

PATH: Final = r"/v1/pictures/{seed:[0-9a-f]{32}}/{size:\d{2,4}x\d{2,4}}.png"
_SIDES: Final = range(16, 2049)
_THINKING_SECONDS: Final = 0.8


class _ImageRequest(msgspec.Struct):
    prompt: Annotated[str, msgspec.Meta(min_length=1)]
    n: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1
    size: str = "1024x1024"
    response_format: Literal["b64_json", "url"] = "b64_json"


async def generate(request: web.Request) -> web.Response:
    """Draw what the JSON body asks for."""
    asked = msgspec.json.decode(await request.read(), type=_ImageRequest)
    return await _pictures(request, asked, asked.prompt)


async def edit(request: web.Request) -> web.Response:
    """Draw what the form asks for: another picture for every reference picture."""
    form = await request.post()
    files = [value.file.read() for value in form.values() if isinstance(value, web.FileField)]
    if not files:
        raise msgspec.ValidationError("Missing required parameter: 'image'.")
    texts = {name: value for name, value in form.items() if isinstance(value, str)}
    asked = msgspec.convert(texts, _ImageRequest, strict=False)
    references = hashlib.sha256(b"".join(files)).hexdigest()
    return await _pictures(request, asked, asked.prompt + references)


async def show(request: web.Request) -> web.Response:
    """Send the picture of a seed, drawn anew."""
    width, height = _sides(request.match_info["size"])
    body = await asyncio.to_thread(draw, request.match_info["seed"], width, height)
    return web.Response(body=body, content_type="image/png")


def picture_url(request: web.Request, prompt: str, size: str = "1024x768") -> str:
    """Where the picture of a prompt is to be had."""
    return f"{request.url.origin()}/v1/pictures/{_seed(prompt)}/{size}.png"


async def _pictures(request: web.Request, asked: _ImageRequest, subject: str) -> web.Response:
    width, height = _sides(asked.size)
    await request.app[PAUSE](_THINKING_SECONDS)
    prompts = [f"{subject}\0{number}" for number in range(asked.n)]
    if asked.response_format == "url":
        data = [{"url": picture_url(request, prompt, f"{width}x{height}")} for prompt in prompts]
    else:
        drawn = [await asyncio.to_thread(draw, _seed(prompt), width, height) for prompt in prompts]
        data = [{"b64_json": base64.b64encode(picture).decode()} for picture in drawn]
    return answer({"created": int(time.time()), "data": data})


def _seed(prompt: str) -> str:
    return hashlib.sha256(prompt.encode("utf-8", "replace")).hexdigest()[:32]


def _sides(size: str) -> tuple[int, int]:
    """The width and height of `WIDTHxHEIGHT`. Units: pixels. Raises msgspec.ValidationError when out of bounds."""
    if size == "auto":
        return 1024, 1024
    found = re.fullmatch(r"(\d{2,4})x(\d{2,4})", size, re.ASCII)
    sides = (int(found[1]), int(found[2])) if found else (0, 0)
    if any(side not in _SIDES for side in sides):
        raise msgspec.ValidationError(f"Invalid size: sides are {_SIDES[0]} to {_SIDES[-1]} pixels, as in 1024x1024.")
    return sides
