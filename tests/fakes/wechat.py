"""A WeChat that runs on loopback: codes are used up, tokens change, texts are judged.

It checks what the real one checks and answers as it does, JSON as text/plain included. `next` scripts single answers,
`pause` keeps every request waiting. It knows nothing of the service.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from tests.fakes.wechat_scripts import RID, Script, plain, refusal

LOGIN = "/sns/jscode2session"
TOKEN = "/cgi-bin/stable_token"
CHECK = "/wxa/msg_sec_check"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. Shape: `body` is the JSON object that came, {} for none."""

    path: str
    query: dict[str, str]
    body: dict[str, Any]


@dataclass(slots=True)
class FakeWeChat:
    """The account, what its server knows, and what it was asked.

    Shape: `openids` may be judged for, besides those that have logged in; `*` is everybody.
    """

    appid: str = "wx0123456789abcdef"
    secret: str = "planted-wechat-secret-4242"
    expires_in: int = 7200
    openids: set[str] = field(default_factory=lambda: {"*"})
    risky: set[str] = field(default_factory=set)
    review: set[str] = field(default_factory=set)
    asked: list[Asked] = field(default_factory=list)
    base_url: str = ""
    tokens: int = 1
    refused_token: str = ""
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)
    _scripts: defaultdict[str, deque[Script]] = field(default_factory=lambda: defaultdict(deque))
    _open: asyncio.Event = field(default_factory=asyncio.Event)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        self._open.set()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.resume()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def variables(self) -> dict[str, str]:
        """The service's settings for this WeChat."""
        return {"WECHAT_APPID": self.appid, "WECHAT_SECRET": self.secret, "WECHAT_BASE_URL": self.base_url}

    def issue_code(self, openid: str, *, unionid: str = "") -> str:
        """A code as wx.login gives it: good for one login."""
        code = f"0a3{len(self._codes):04d}+/=%&z"
        self._codes[code] = {"openid": openid, "session_key": "planted-session-key=="} | (
            {"unionid": unionid} if unionid else {}
        )
        return code

    @property
    def token(self) -> str:
        """The access token that is valid now, unless it is `refused_token`."""
        return f"planted-token-{self.tokens}"

    def renew_token(self) -> None:
        """Another process has forced a new token."""
        self.tokens += 1

    def refuse_token(self) -> None:
        """Refuse the token that a plain request still gives."""
        self.refused_token = self.token

    def next(self, path: str, *scripts: Script) -> None:
        """Answer the next requests for this path by these scripts, then as usual."""
        self._scripts[path].extend(scripts)

    def pause(self) -> None:
        self._open.clear()

    def resume(self) -> None:
        self._open.set()

    def asked_for(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    async def until_asked(self, path: str, times: int = 1) -> None:
        async with self._news:
            await self._news.wait_for(lambda: len(self.asked_for(path)) >= times)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        asked = Asked(request.path, dict(request.query), json.loads(text) if text else {})
        async with self._news:
            self.asked.append(asked)
            self._news.notify_all()
        await self._open.wait()
        if self._scripts[request.path]:
            return await self._scripts[request.path].popleft()(request)
        match request.method, request.path:
            case "GET", "/sns/jscode2session":
                return self._login(asked.query)
            case "POST", "/cgi-bin/stable_token":
                return self._give_token(asked.body)
            case "POST", "/wxa/msg_sec_check":
                return self._judge(asked)
        return web.Response(status=404, text="<html>not found</html>", content_type="text/html")

    def _account_error(self, fields: dict[str, Any]) -> web.Response | None:
        if fields.get("appid") != self.appid:
            return refusal(40013, "invalid appid")
        return None if fields.get("secret") == self.secret else refusal(40125, "invalid appsecret")

    def _login(self, query: dict[str, str]) -> web.Response:
        if error := self._account_error(query):
            return error
        code = query.get("js_code", "")
        if query.get("grant_type") != "authorization_code":
            return refusal(40002, "invalid grant_type")
        if code not in self._codes:
            return refusal(40029, "invalid code")
        if code in self._used:
            return refusal(40163, "code been used")
        self._used.add(code)
        self.openids.add(self._codes[code]["openid"])
        return plain(self._codes[code])

    def _give_token(self, body: dict[str, Any]) -> web.Response:
        if error := self._account_error(body):
            return error
        if body.get("grant_type") != "client_credential":
            return refusal(40002, "invalid grant_type")
        self.tokens += body.get("force_refresh") is True
        return plain({"access_token": self.token, "expires_in": self.expires_in})

    def _judge(self, asked: Asked) -> web.Response:
        token = asked.query.get("access_token")
        if token != self.token or token == self.refused_token:
            return refusal(40001, "invalid credential, access_token is invalid or not latest")
        content, openid = asked.body.get("content", ""), asked.body.get("openid")
        if asked.body.get("version") != 2 or asked.body.get("scene") not in (1, 2, 3, 4) or not content:
            return refusal(47001, "data format error")
        if len(content) > 2500:
            return refusal(45002, "content size out of limit")
        if openid not in self.openids and "*" not in self.openids:
            return refusal(40003, "invalid openid")
        suggest = "risky" if any(word in content for word in self.risky) else "pass"
        if any(word in content for word in self.review):
            suggest = "review"
        return plain({"errcode": 0, "errmsg": "ok", "result": {"suggest": suggest, "label": 100}, "trace_id": RID})
