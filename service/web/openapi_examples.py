"""The examples of the OpenAPI document, as instances of the types that check and shape the real thing.

The tests send every request and hold every answer against its schema.
"""

from __future__ import annotations

from typing import Final

import msgspec

from service.models import ImagePart, ImageUrl, Message, TextPart
from service.web import answers, requests

OPENID: Final = "test"
TURN_ID: Final = "0199c8f2a4d10000a3f1c26be07d9458"
_CONVERSATION_ID: Final = "0199c8f2a4d10001e95b70d24c8a6f13"
_TIME_MS: Final = 1_767_225_600_000
_QUESTION: Final = Message("user", "你好")
_REPLY: Final = "你好！有什么可以帮你？"
# One red pixel.
_PICTURE: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC"
)

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
CLEAR: Final = {"everything": requests.ClearRequest()}
PROFILE: Final = {
    "profile": requests.ProfileRequest(nickname="小明", avatar="https://example.com/a.png", email="ming@example.com")
}
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
TOKEN_ANSWER: Final = answers.TokenAnswer(token="eyJhbGciOiJIUzI1NiJ9…", refreshToken="c0ffee…", expires_in=7200)  # noqa: S106
BALANCE_ANSWER: Final = answers.BalanceAnswer(
    total_limit=100.0,
    total_usage=12.345,
    remaining=87.655,
    currency="USD",
    source="one-api",
    unlimited=False,
    as_of=_TIME_MS,
)

EVENTS: Final = """\
event: start
data: {"code":0,"msg":"ok","data":{"turn_id":"0199c8f2…","conversation_id":"0199c8f2…","model":"gpt-4o-all"}}

id: 2.0
event: delta
data: {"code":0,"msg":"ok","data":{"delta":"\\u4f60\\u597d"}}

event: done
data: {"code":0,"msg":"ok","data":{"reply":"\\u4f60\\u597d","status":"completed","finish_reason":"stop"}}

"""
