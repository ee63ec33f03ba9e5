"""One request to WeChat and its answer: the only place where the credentials travel.

WeChat wants secrets in the query, so no URL, no aiohttp error and no answer of WeChat's leaves this module: what went
wrong is told in words of our own. It knows no particular call and decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import aiohttp
import msgspec

from service.settings import Settings
from service.wechat.errcodes import OPERATOR, meaning

TIMEOUT_SECONDS: Final = 8.0
_ANSWER_LIMIT_BYTES: Final = 64 * 1024

Answer = TypeVar("Answer", bound=msgspec.Struct)


class WeChatError(Exception):
    """WeChat did not do what was asked.

    Shape: `errcode` is WeChat's number, None where no usable answer came. The text is safe to log: our words, and of
    WeChat's only the id (`rid`) that its support asks for.
    """

    def __init__(self, reason: str, errcode: int | None = None) -> None:
        super().__init__(reason)
        self.errcode = errcode

    @property
    def operator_must_act(self) -> bool:
        return self.errcode in OPERATOR


class _Head(msgspec.Struct):
    """The part that every answer shares; success says 0, null, or nothing at all."""

    errcode: int | None = None
    errmsg: str | None = None


class WeChatClient:
    """Asks WeChat, bounded in time and size, never following a redirect."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, appid: str, secret: str) -> None:
        self._session = session
        self._base_url = base_url
        self._appid = appid
        self._secret = secret

    @property
    def configured(self) -> bool:
        return bool(self._appid and self._secret)

    @property
    def credentials(self) -> dict[str, str]:
        """The fields by which every call for a token or a session names the account."""
        return {"appid": self._appid, "secret": self._secret}

    async def get(self, path: str, answer: type[Answer], query: Mapping[str, str]) -> Answer:
        """Raises WeChatError."""
        return _decode(await self._exchange("GET", path, query, None), answer)

    async def post(self, path: str, answer: type[Answer], query: Mapping[str, str], body: object) -> Answer:
        """Raises WeChatError."""
        return _decode(await self._exchange("POST", path, query, msgspec.json.encode(body)), answer)

    async def _exchange(self, method: str, path: str, query: Mapping[str, str], body: bytes | None) -> bytes:
        # aiohttp asks a GET again over a connection that WeChat had closed meanwhile, but never a POST. Ours change
        # nothing at WeChat, so they are asked again too.
        attempts = 1 if body is None else 2
        reason = ""
        for _ in range(attempts):
            try:
                return await self._send(method, path, query, body)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                reason = "no connection"
            except TimeoutError:
                reason = "no answer in time"
                break
            except (aiohttp.ClientError, OSError, ValueError):
                reason = "not an HTTP exchange"
                break
        # Raised out here and not in `except`: aiohttp's error knows the URL and must not stay on as the context.
        raise WeChatError(reason)

    async def _send(self, method: str, path: str, query: Mapping[str, str], body: bytes | None) -> bytes:
        headers = {} if body is None else {"Content-Type": "application/json"}
        async with self._session.request(
            method, self._base_url + path, params=query, data=body, headers=headers, allow_redirects=False
        ) as response:
            if response.status != 200:
                raise WeChatError(f"status {response.status}")
            read = bytearray()
            async for chunk in response.content.iter_any():
                read += chunk
                if len(read) > _ANSWER_LIMIT_BYTES:
                    raise WeChatError("an answer without end")
            return bytes(read)


@asynccontextmanager
async def open_wechat(settings: Settings, *, timeout_seconds: float = TIMEOUT_SECONDS) -> AsyncIterator[WeChatClient]:
    """Yield the client of the operator's account, configured or not."""
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=timeout_seconds, connect=settings.connect_timeout_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        yield WeChatClient(session, settings.wechat_base_url, settings.wechat_appid, settings.wechat_secret)


def _decode(body: bytes, answer: type[Answer]) -> Answer:
    """Read an answer whatever its Content-Type: WeChat sends JSON as text/plain."""
    try:
        head = msgspec.json.decode(body, type=_Head, strict=False)
        found = None if head.errcode else msgspec.json.decode(body, type=answer, strict=False)
    except (ValueError, RecursionError):
        head, found = _Head(), None
    if found is not None:
        return found
    if not head.errcode:
        raise WeChatError("an answer that is not the JSON expected")
    rid = re.search(r"rid: ([0-9a-f-]{8,64})", head.errmsg or "")
    told = f"errcode {head.errcode} ({meaning(head.errcode)}), rid {rid[1] if rid else '-'}"
    raise WeChatError(told, head.errcode)
