"""The nouns of the service as plain frozen data. No room owns them; none of them does anything."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta


class Kind:
    """Plain words, as they are stored and told: SQLite and JSON take an enumeration's members the slow way."""

    CHAT: Final = "chat"
    IMAGE: Final = "image"


class Status:
    RUNNING: Final = "running"
    COMPLETED: Final = "completed"
    STOPPED: Final = "stopped"
    FAILED: Final = "failed"
    INTERRUPTED: Final = "interrupted"


class ImageUrl(msgspec.Struct, frozen=True, omit_defaults=True):
    url: str
    detail: Literal["auto", "low", "high"] | None = None


class TextPart(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    text: str


class ImagePart(msgspec.Struct, frozen=True, tag_field="type", tag="image_url"):
    image_url: ImageUrl


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message in OpenAI's form."""

    role: Literal["system", "user", "assistant"]
    content: str | Annotated[list[TextPart | ImagePart], Meta(min_length=1)]

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content if isinstance(part, TextPart))


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Units: tokens, as the upstream counts them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class ChatAsk(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is asked of the upstream's chat completions.

    Shape: `messages` in OpenAI's form, as JSON text already; `user` a hash, never the openid.
    """

    model: str
    messages: msgspec.Raw
    user: str
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None


class Completion(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One whole chat answer. `finish_reason` is the upstream's word; `images` are links or data URLs it attached
    outside the text (`message.images`, array parts)."""

    reply: str
    reasoning: str = ""
    finish_reason: str | None = None
    model: str = ""
    usage: Usage | None = None
    images: tuple[str, ...] = ()


class Piece(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one read of a streamed answer brought: any of the fields may be empty."""

    reply: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    model: str = ""
    usage: Usage | None = None
    images: tuple[str, ...] = ()


class ImageAsk(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the upstream's image calls. Shape: `references` are data or https URLs, at most 10;
    `model` empty means the upstream's own default."""

    prompt: str
    user: str
    model: str = ""
    n: int = 1
    size: str = "1024x1024"
    references: tuple[str, ...] = ()


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """The account at the upstream. Units: `currency`; a figure the upstream does not give is None.
    `source` names the dialect that was spoken, `as_of` is in ms since the epoch."""

    total_limit: float | None
    total_usage: float | None
    remaining: float | None
    currency: str
    source: str
    unlimited: bool = False
    as_of: int = 0


class Picture(msgspec.Struct, frozen=True, omit_defaults=True):
    """A picture of an answer: the file that it is stored as, and the link that it came from.

    Shape: `name` is empty where the link could not be fetched; `source` is empty where there was none.
    """

    name: str = ""
    source: str = ""


class Turn(msgspec.Struct, frozen=True, gc=False):
    """One question and its answer: a row.

    Shape: `messages` the turn's own new messages, `images` the pictures and `error` the failure, all as JSON text; the
    fields are the columns of the table, in its order. `reserved_*` stay taken from the quota of `day` until the turn
    is settled.
    Units: times in ms since the epoch; usage in tokens, None where the upstream gave none.
    """

    turn_id: str
    openid: str
    conversation_id: str
    kind: str
    status: str
    messages: str
    model: str
    title: str = ""
    reply: str = ""
    reasoning: str = ""
    images: str = "[]"
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    error: str | None = None
    notice: str | None = None
    idempotency_key: str | None = None
    fingerprint: str = ""
    reserved_tokens: int = 0
    reserved_images: int = 0
    day: int = 0
    created_at: int = 0
    updated_at: int = 0


class User(msgspec.Struct, frozen=True):
    """A user's profile and usage: the columns of the table, in its order.

    Units: times in ms since the epoch; `day` as a day's ordinal, the day that the `day_*` counters are of.
    """

    openid: str
    nickname: str = ""
    avatar: str = ""
    email: str = ""
    created_at: int | None = None
    last_seen_at: int | None = None
    day: int = 0
    day_turns: int = 0
    day_tokens: int = 0
    day_images: int = 0
    total_turns: int = 0
    total_tokens: int = 0
    total_images: int = 0


class Quota(msgspec.Struct, frozen=True):
    """What a user may use in a day; 0 is no quota."""

    turns: int = 0
    tokens: int = 0
    images: int = 0
