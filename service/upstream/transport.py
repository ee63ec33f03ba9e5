"""What an Exchange sends and what it gets back, however it travels.

There are two ways, chosen in UpstreamSession.send alone: plain `ClientSession.request`, which can send everything, and
direct.py for whole JSON answers, where UPSTREAM_TRANSPORT says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import aiohttp
import msgspec
from yarl import URL


class Request(msgspec.Struct, frozen=True):
    """Shape: `body` is JSON; `form` makes the same form anew for each attempt; `whole` wants no stream."""

    method: str
    url: URL
    body: bytes | None = None
    form: Callable[[], aiohttp.FormData] | None = None
    params: Mapping[str, str] | None = None
    whole: bool = False


class Response(Protocol):
    """An answer whose head has come: what is used of aiohttp's ClientResponse.

    Its connection goes back to the pool when the body has come whole, and is closed by `close` before that.
    """

    @property
    def status(self) -> int: ...

    @property
    def method(self) -> str: ...

    @property
    def url(self) -> URL: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def content(self) -> aiohttp.StreamReader: ...

    def close(self) -> None: ...
