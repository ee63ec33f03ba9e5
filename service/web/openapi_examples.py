"""The examples of the OpenAPI document, as instances of the types that check and shape the real thing.

The tests send every request and hold every answer against its schema.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from service.domain.running import Cursor
from service.models import ImagePart, ImageUrl, Message, TextPart
from service.web import answers, requests

OPENID: Final = "test"
TURN_ID: Final = "0199c8f2a4d10000a3f1c26be07d9458"
FILE_NAME: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b.png"
_LINK: Final = (
    f"https://api.example.com/api/files/{FILE_NAME}?expires=1767398400&signature=5e884898da28047151d0e56f8dc62927"
)
_CONVERSATION_ID: Final = "0199c8f2a4d10001e95b70d24c8a6f13"
_TIME_MS: Final = 1_767_225_600_000
_QUESTION: Final = Message("user", "你好")
_REPLY: Final = "你好！有什么可以帮你？"
PIXEL_PNG: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC"
_PICTURE: Final = f"data:image/png;base64,{PIXEL_PNG}"

CHAT: Final = {
    "minimal": requests.ChatRequest(openid=OPENID, messages=[_QUESTION]),
    "streaming": requests.ChatRequest(openid=OPENID, messages=[_QUESTION], stream=True),
    "waiting": requests.ChatRequest(openid=OPENID, messages=[_QUESTION], wait=30, client_id="4f9d2c1e"),
    "picture": requests.ChatRequest(
        openid=OPENID,
        messages=[Message("user", [TextPart("图里是什么颜色？"), ImagePart(ImageUrl(_PICTURE))])],
        temperature=0.2,
        max_tokens=500,
    ),
}
IMAGE: Final = {
    "minimal": requests.ImageRequest(prompt="一只戴围巾的橘猫", n=1, size="1024x1024"),
    "later": requests.ImageRequest(openid=OPENID, prompt="一只戴围巾的橘猫", asynchronous=True),
    "reference": requests.ImageRequest(openid=OPENID, prompt="改成蓝色", images=[_PICTURE], response_format="b64"),
}
CLEAR: Final = {"everything": requests.ClearRequest()}
PROFILE: Final = {
    "profile": requests.ProfileRequest(nickname="小明", avatar="https://example.com/a.png", email="ming@example.com")
}
LOGIN: Final = {"code": requests.LoginRequest(code="0e3xYz1w3JtQ5A2Kl90w3ab1cd0xYz1X")}
REFRESH: Final = {
    "openid": requests.RefreshRequest(openid=OPENID),
    "guest": requests.RefreshRequest(),
}

CHAT_ANSWER: Final = answers.ChatAnswer(
    reply=_REPLY,
    turn_id=TURN_ID,
    conversation_id=_CONVERSATION_ID,
    status="completed",
    finish_reason="stop",
    model="gpt-4o-all",
    usage=answers.UsageAnswer(9, 8, 17),
)
TURN_ANSWER: Final = msgspec.structs.replace(CHAT_ANSWER, time=_TIME_MS)
IMAGE_ANSWER: Final = answers.ImageAnswer(
    images=[_LINK], download_links=[_LINK], turn_id=TURN_ID, status="completed", finish_reason=None
)
FILE_ANSWER: Final = answers.FileAnswer(url=_LINK, name=FILE_NAME, mime="image/png", size=69)
HISTORY_ANSWER: Final = answers.HistoryAnswer(
    [
        answers.HistoryItem(
            messages=msgspec.Raw(msgspec.json.encode([_QUESTION])),
            reply=_REPLY,
            time=_TIME_MS,
            turn_id=TURN_ID,
            conversation_id=_CONVERSATION_ID,
            status="completed",
            kind="chat",
            finish_reason="stop",
        )
    ],
    next=None,
)
CONVERSATIONS_ANSWER: Final = answers.ConversationsAnswer(
    [answers.ConversationItem(_CONVERSATION_ID, "你好", 1, _TIME_MS)], next=None
)
DELETED_ANSWER: Final = answers.DeletedAnswer(3)
USER_ANSWER: Final = answers.UserAnswer(
    openid=OPENID,
    nickname="小明",
    avatar="https://example.com/a.png",
    email="ming@example.com",
    created_at=_TIME_MS,
    last_seen_at=_TIME_MS,
    usage=answers.UsageSummary(answers.UsageCounts(3, 812, 0), answers.UsageCounts(41, 20_331, 2)),
    quota=answers.UsageCounts(0, 0, 0),
)
_JWT: Final = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ0ZXN0In0.c2lnbmF0dXJl"
_OPAQUE: Final = "Zk3q0u1bB8m2Vd6yR5nT7wXcE4hJ9sLpAaGfKiQo1tM"
TOKEN_ANSWER: Final = answers.TokenAnswer(token=_JWT, refreshToken=_OPAQUE, expires_in=7200)
LOGIN_ANSWER: Final = answers.LoginAnswer(
    openid=OPENID, token=_JWT, refreshToken=_OPAQUE, expires_in=7200, is_new=False
)
BALANCE_ANSWER: Final = answers.BalanceAnswer(
    total_limit=100.0,
    total_usage=12.345,
    remaining=87.655,
    currency="USD",
    source="one-api",
    unlimited=False,
    as_of=_TIME_MS,
)


def given(body: Any) -> Any:
    """An example as a client would write it: without what is left out."""
    return {name: value for name, value in msgspec.to_builtins(body).items() if value is not None}


def _event(name: str, data: object) -> str:
    envelope = {"code": 0, "msg": "ok", "data": data}
    return f"event: {name}\ndata: {json.dumps(envelope, separators=(',', ':'))}\n\n"


_STARTED: Final = {"turn_id": TURN_ID, "conversation_id": _CONVERSATION_ID, "model": "gpt-4o-all"}
EVENTS: Final = (
    _event("start", _STARTED)
    + f"id: {Cursor(len(_REPLY), 0)}\n"
    + _event("delta", {"delta": _REPLY})
    + _event("done", msgspec.to_builtins(CHAT_ANSWER))
)
