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
    """An answer whose head has come.

    `close` gives its connection back to the pool if the body has come whole, and up if not.
    """

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of a refusal; those of a success may be let go."""
        ...

    def has_ended(self) -> bool:
        """Whether nothing more will arrive; some of what has arrived may still have to be read."""
        ...

    def read_nowait(self) -> bytes:
        """Read what has arrived. Raises aiohttp.ClientError, TimeoutError if it is broken and nothing is left."""
        ...

    async def read(self) -> bytes:
        """Read what has arrived, or wait for it. Nothing: the body has ended. Raises as read_nowait does."""
        ...

    def fail(self, error: Exception) -> None:
        """Raise this from reads instead of waiting on."""
        ...

    def close(self) -> None: ...
