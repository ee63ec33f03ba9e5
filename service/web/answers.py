"""What clients get: the types that shape answers and describe them in the OpenAPI document."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType


class UsageAnswer(msgspec.Struct, frozen=True, gc=False):
    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None


class ErrorAnswer(msgspec.Struct, frozen=True):
    code: int
    type: str
    msg: str
    retryable: bool


class ChatAnswer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    reply: str
    turn_id: str
    conversation_id: str
    status: str
    finish_reason: str | None
    model: str
    usage: UsageAnswer
    reasoning: str | UnsetType = UNSET
    images: list[str] | UnsetType = UNSET
    download_links: list[str] | UnsetType = UNSET
    notice: str | UnsetType = UNSET
    time: int | UnsetType = UNSET
    error: ErrorAnswer | UnsetType = UNSET


class ImageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    images: list[str]
    download_links: list[str]
    turn_id: str
    status: str
    finish_reason: str | None
    taskId: str | UnsetType = UNSET  # noqa: N815 - existing clients' spelling
    notice: str | UnsetType = UNSET


class FileAnswer(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    name: str
    mime: str
    size: int


class HistoryItem(msgspec.Struct, frozen=True, kw_only=True):
    messages: msgspec.Raw
    reply: str
    time: int
    turn_id: str
    conversation_id: str
    status: str
    kind: str
    finish_reason: str | None
    images: list[str] | UnsetType = UNSET


class HistoryAnswer(msgspec.Struct, frozen=True):
    history: list[HistoryItem]
    next: str | None


class ConversationItem(msgspec.Struct, frozen=True):
    conversation_id: str
    title: str
    turns: int
    updated_at: int


class ConversationsAnswer(msgspec.Struct, frozen=True):
    conversations: list[ConversationItem]
    next: str | None


class DeletedAnswer(msgspec.Struct, frozen=True):
    deleted: int


class UsageCounts(msgspec.Struct, frozen=True):
    turns: int
    tokens: int
    images: int


class UsageSummary(msgspec.Struct, frozen=True):
    today: UsageCounts
    total: UsageCounts


class UserAnswer(msgspec.Struct, frozen=True, kw_only=True):
    openid: str
    nickname: str
    avatar: str
    email: str
    created_at: int | None
    last_seen_at: int | None
    usage: UsageSummary
    quota: UsageCounts


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    token: str
    refreshToken: str  # noqa: N815 - existing clients' spelling
    expires_in: int


class LoginAnswer(msgspec.Struct, frozen=True, kw_only=True):
    openid: str
    token: str
    refreshToken: str  # noqa: N815 - existing clients' spelling
    expires_in: int
    is_new: bool


class BalanceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    total_limit: float | None
    total_usage: float | None
    remaining: float | None
    currency: str
    source: str
    unlimited: bool
    as_of: int
