"""What an Exchange sends and what it gets back, however it travels.

There are two ways, chosen in UpstreamSession.send alone: plain `ClientSession.request`, which can send everything, and
direct.py for JSON, where UPSTREAM_TRANSPORT says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import aiohttp
import msgspec


class Request(msgspec.Struct):
    """Shape: `body` is JSON; `form` makes the same form anew for each attempt."""

    method: str
    url: str
    body: bytes | None = None
    form: Callable[[], aiohttp.FormData] | None = None
    params: Mapping[str, str] | None = None

    def forget_content(self) -> None:
        """Let go of what was sent; what is left names the request in the log."""
        self.body = self.form = None


class Response(Protocol):
    """An answer whose head has come: what is used of aiohttp's ClientResponse.

    `close` gives its connection back to the pool if the body has come whole, and up if not.
    """

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def content(self) -> aiohttp.StreamReader: ...

    def close(self) -> None: ...
