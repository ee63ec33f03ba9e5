"""What the OpenAPI document says about a route beyond what its types say. A test keeps it complete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from service.web import openapi_examples as examples

TITLE: Final = "mini-program AI backend · 小程序 AI 后端"
DESCRIPTION: Final = """\
Every JSON answer is `{"code", "msg", "data"}`. Success: HTTP 200 and `code` 0. Failure: the HTTP status equals `code`,
`msg` is a sentence for people and `data.type` a word for programs. Unknown paths answer 404, wrong methods 405.
Times are milliseconds since the epoch. Unknown fields of a request are ignored.

所有 JSON 回答都是 `{"code", "msg", "data"}`。成功：HTTP 200，`code` 为 0；失败：HTTP 状态与 `code` 相同，
`msg` 可直接提示用户，`data.type` 供程序判断。路径不存在返回 404，方法不对返回 405。时间都是毫秒时间戳。
"""
TAGS: Final = {
    "chat": "Questions, answers and their event streams · 聊天与流式回答",
    "picture": "Drawing, and stored pictures · 生图与图片文件",
    "history": "What was asked and answered · 历史对话",
    "user": "Profile and usage · 用户信息与用量",
    "token": "Sessions · 登录与令牌",
    "balance": "The account at the upstream · 上游余额",
    "operation": "For the operator · 运维",
}
_STREAM: Final = """\
With `stream` the answer is an event stream: `start`, then `reasoning` and `delta` events, then `done` with the whole
answer, or `error`. `recall` takes back what was shown; `continue` says where to go on. The data of each event is an
envelope.

`stream` 为 true 时以事件流回答：先 `start`，再是 `reasoning` 和 `delta`，最后 `done`（完整回答）或 `error`；
`recall` 表示撤回已显示的内容，`continue` 给出续传位置。
"""


class Told(NamedTuple):
    """Shape: `bodies` are example requests by name, `answer` is an example of the `data` of success. `fails` are codes
    that cannot be told from the route's types. `media` is what a route answers that is no envelope; `uploads` says that
    it takes a file as a form."""

    tag: str
    zh: str
    en: str
    about: str = ""
    bodies: Mapping[str, Any] = {}
    answer: Any = None
    fails: tuple[int, ...] = ()
    media: str = ""
    uploads: bool = False


class PathParameter(NamedTuple):
    about: str
    example: str
    most_characters: int | None = None


ROUTE_TEXTS: Final[Mapping[str, Told]] = {
    "POST /api/chat": Told(
        "chat",
        "文本聊天",
        "Ask and be answered",
        "A turn is stored before the upstream is asked: a client that drops can ask /api/turns for it.\n\n" + _STREAM,
        examples.CHAT,
        examples.CHAT_ANSWER,
        fails=(404,),
    ),
    "POST /api/image": Told(
        "picture",
        "生图",
        "Draw pictures",
        "With `async`, or not ready within `wait` (50 s): `status` is `running`; ask /api/turns/{turn_id} later.\n\n"
        "`async` 为 true，或 `wait`（默认 50 秒）内没画完：`status` 为 `running`，稍后查询 /api/turns/{turn_id}。",
        examples.IMAGE,
        examples.IMAGE_ANSWER,
    ),
    "POST /api/files": Told(
        "picture",
        "上传图片",
        "Upload a picture",
        "As `wx.uploadFile` sends it; the `openid` goes before the file. Chat and image requests take the `url`.",
        answer=examples.FILE_ANSWER,
        fails=(400, 413, 415),
        uploads=True,
    ),
    "GET /api/files/{name}": Told(
        "picture", "查看图片", "A stored picture", "The link is signed and works for one to two days.", media="image/*"
    ),
    "GET /api/turns/{turn_id}": Told(
        "chat",
        "查询或续传一轮对话",
        "A turn: as it is, at its end, or as a stream",
        "A failed turn is told in `error`. The stream goes on after `after` or `Last-Event-ID`.\n\n" + _STREAM,
        answer=examples.TURN_ANSWER,
    ),
    "POST /api/turns/{turn_id}/stop": Told(
        "chat", "停止生成", "Stop a turn and keep what came of it", answer=examples.TURN_ANSWER
    ),
    "GET /api/history/{openid}": Told("history", "历史对话", "Turns, a page at a time", answer=examples.HISTORY_ANSWER),
    "GET /api/history/{openid}/conversations": Told(
        "history", "会话列表", "Conversations, a page at a time", answer=examples.CONVERSATIONS_ANSWER
    ),
    "POST /api/history/{openid}/clear": Told(
        "history",
        "清空历史",
        "Delete all turns, or those of a conversation",
        bodies=examples.CLEAR,
        answer=examples.DELETED_ANSWER,
    ),
    "GET /api/user/{openid}": Told("user", "用户信息", "A user's profile and usage", answer=examples.USER_ANSWER),
    "POST /api/user/{openid}": Told(
        "user", "修改资料", "Change the profile", bodies=examples.PROFILE, answer=examples.USER_ANSWER
    ),
    "POST /api/user/{openid}/erase": Told(
        "user", "注销并删除数据", "Delete everything about the user", answer=examples.DELETED_ANSWER
    ),
    "POST /api/login": Told(
        "token",
        "微信登录",
        "A session for a code of wx.login",
        "The same code again within 5 minutes gives a session again. 5 分钟内重复提交同一个 code 仍然有效。",
        examples.LOGIN,
        examples.LOGIN_ANSWER,
        fails=(429,),
    ),
    "POST /api/token/refresh": Told(
        "token",
        "刷新 token",
        "A new token for a refresh token",
        "Without AUTH=required also bare, for a guest, or with an `openid`. Refused with 403, never 401.",
        examples.REFRESH,
        examples.TOKEN_ANSWER,
    ),
    "GET /api/balance": Told(
        "balance",
        "余额查询",
        "What is left at the upstream",
        "A figure that the upstream does not give is null.",
        answer=examples.BALANCE_ANSWER,
    ),
    "GET /healthz": Told("operation", "进程存活", "The process answers", answer={"status": "ok"}),
    "GET /readyz": Told(
        "operation",
        "可以接受请求",
        "Ready for work",
        answer={"status": "ready", "upstream": "ok", "running_turns": 0},
        fails=(503,),
    ),
    "GET /metrics": Told("operation", "监控指标", "Figures for Prometheus", media="text/plain"),
    "GET /openapi.json": Told("operation", "本文档", "This document", media="application/json"),
    "GET /docs": Told("operation", "接口文档页面", "This document as a page", media="text/html"),
    "GET /docs/{asset}": Told("operation", "页面资源", "Parts of that page", media="*/*"),
    "GET /": Told("operation", "体验页", "A chat page to try the service with", fails=(404,), media="text/html"),
    "GET /playground/{part}": Told("operation", "体验页资源", "Parts of that page", media="*/*"),
    "GET /playground/vendor/{library}": Told("operation", "体验页的库", "Libraries of that page", media="text/*"),
    "GET /chat-client.js": Told("operation", "前端客户端", "The client file, to import", media="text/javascript"),
    "GET /chat-client.cjs": Told(
        "operation", "前端客户端（require）", "The client file, to require", media="text/javascript"
    ),
    "GET /chat-client.d.ts": Told("operation", "前端客户端的类型", "The client file's types", media="text/plain"),
}

PATH_PARAMETERS: Final[Mapping[str, PathParameter]] = {
    "openid": PathParameter("The user. 用户标识", examples.OPENID, 128),
    "turn_id": PathParameter("The turn, as its answer named it. 一轮对话的标识", examples.TURN_ID),
    "name": PathParameter("The file, as its link has it. 文件名", examples.FILE_NAME),
    "asset": PathParameter("A file of the page. 页面资源", "initializer.js"),
    "part": PathParameter("A file of the page. 页面资源", "app.js"),
    "library": PathParameter("A library of the page. 页面的库", "marked.esm.js"),
}
