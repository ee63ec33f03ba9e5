"""What clients may send: the types that validate requests and describe them in the OpenAPI document.

Unknown fields are ignored; a field that is given as null is as good as left out.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from service.models import Message

# In Python's patterns `$` lets a newline follow: `(?!\n)` says what it means everywhere else.
Openid = Annotated[str, Meta(description="The user. May be left out where a token says who is asking.")]
Wait = Annotated[float, Meta(ge=1, le=55, description="Seconds: answer by then at the latest, finished or not.")]
Identifier = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$(?!\n)")]
Key = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$(?!\n)")]


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    messages: Annotated[list[Message], Meta(min_length=1, max_length=1000)]
    openid: Openid | None = None
    conversation_id: Identifier | None = None
    stream: bool | None = None
    model: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    wait: Wait | None = None
    client_id: Key | None = None


class ImageRequest(msgspec.Struct, frozen=True, kw_only=True):
    prompt: Annotated[str, Meta(min_length=1, max_length=32_000)]
    n: Annotated[int, Meta(ge=1, le=10)] | None = None
    size: Annotated[str, Meta(pattern=r"^([1-9][0-9]{1,3}x[1-9][0-9]{1,3}|auto)$(?!\n)")] | None = None
    openid: Openid | None = None
    model: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    images: Annotated[list[str], Meta(max_length=10)] | None = None
    response_format: Literal["url", "b64"] | None = None
    asynchronous: bool | None = msgspec.field(default=None, name="async")
    wait: Wait | None = None
    client_id: Key | None = None


class TurnQuery(msgspec.Struct, frozen=True, kw_only=True):
    wait: Wait | None = None
    stream: bool = False
    after: str = ""


class FileQuery(msgspec.Struct, frozen=True, kw_only=True):
    expires: Annotated[str, Meta(pattern=r"^[0-9]{1,12}$(?!\n)")]
    signature: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$(?!\n)")]


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True):
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    before: Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z0-9_-]*$(?!\n)")] = ""
    conversation_id: Identifier | None = None


class ClearRequest(msgspec.Struct, frozen=True, kw_only=True):
    conversation_id: Identifier | None = None


class ProfileRequest(msgspec.Struct, frozen=True, kw_only=True):
    nickname: Annotated[str, Meta(max_length=64, pattern=r"^[^\x00]*$")] | None = None
    avatar: Annotated[str, Meta(max_length=2048, pattern=r"^(https://\S+)?$(?!\n)")] | None = None
    email: Annotated[str, Meta(max_length=254, pattern=r"^([^@\s]+@[^@\s]+\.[^@\s]+)?$(?!\n)")] | None = None


class RefreshRequest(msgspec.Struct, frozen=True, kw_only=True):
    refreshToken: Annotated[str, Meta(max_length=200)] | None = None  # noqa: N815 - existing clients' spelling
    openid: Openid | None = None


class LoginRequest(msgspec.Struct, frozen=True, kw_only=True):
    code: Annotated[str, Meta(min_length=1, max_length=512)]
