"""Nothing that was planted as a secret, a prompt or a user comes out of logs, answers, metrics or texts of settings."""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, FormData

from service.errors import StartError
from service.logs import JsonFormatter, MaskingFormatter
from service.settings import Settings
from tests.fakes.upstream import PNG, Answer, FakeUpstream
from tests.fakes.wechat import CHECK, LOGIN, FakeWeChat
from tests.fakes.wechat_scripts import drops, refuses, writes
from tests.web.service_process import run_service

KEY, ADMIN, SIGNING = "sk-planted-key-0123", "planted-admin-0123456789", "planted-signing-secret-0123456789-abcdef"
WORDS, REPLY, OPENID = "planted-words-of-a-user", "planted-reply", "oPlanted-Openid"
SETTINGS = {
    "OPENAI_API_KEY": KEY,
    "ADMIN_TOKEN": ADMIN,
    "AUTH_SECRET": SIGNING,
    "AUTH": "required",
    "CONTENT_CHECK": "wechat",
    "LOG_LEVEL": "debug",
    "CONNECT_TIMEOUT_SECONDS": "1",
    "AUDIT_DAYS": "7",
}
FAILURES = [
    Answer.error(401, f"Incorrect API key provided: {KEY}"),
    Answer.error(429, f"Rate limit reached for {KEY}", headers={"X-Planted": KEY}),
    Answer.error(400, f"broken: {KEY}", code=KEY, type=KEY),
    Answer.raw(f"<html>{KEY}</html>".encode(), content_type="text/html"),
    Answer.json({"error": {"message": f"broken: {KEY}"}}),
    Answer.json({"choices": KEY}),
    Answer.raw(f'{{"choices": [{{"message": {{"content": "{KEY}'.encode()),
    Answer.stream(REPLY, b"data: {" + KEY.encode() + b"\n\n"),
    Answer.stream(REPLY).cut_after(40),
    Answer.drop(),
]


class Spoken:
    """What a client heard: `own` may be said to the user itself, `others` to anybody."""

    def __init__(self, client: ClientSession) -> None:
        self._client = client
        self.heard: list[str] = []

    async def say(self, method: str, path: str, **options: Any) -> Any:
        async with self._client.request(method, path, **options) as response:
            text = await response.text()
            self.heard.append(f"{response.status} {response.headers} {text}")
            return await response.json() if response.content_type == "application/json" else None


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as fake:
        yield fake


@pytest.fixture
async def wechat() -> AsyncIterator[FakeWeChat]:
    async with FakeWeChat(risky={"forbidden"}) as fake:
        yield fake


async def live(spoken: Spoken, upstream: FakeUpstream, wechat: FakeWeChat) -> list[str]:
    """Log in, ask, draw, fail in every way; returns the tokens that were given out."""
    await spoken.say("POST", "/api/login", json={"code": "planted-code"})
    wechat.next(LOGIN, refuses(40125), writes(b"planted-page", status=502), drops, drops)
    for _ in range(3):
        await spoken.say("POST", "/api/login", json={"code": "planted-code"})
    session = (await spoken.say("POST", "/api/login", json={"code": wechat.issue_code(OPENID)}))["data"]
    token = session["token"]
    mine = {"headers": {"token": token}}
    ask = {"openid": OPENID, "messages": [{"role": "user", "content": WORDS}]}
    await spoken.say("POST", "/api/chat", json=ask, **mine)
    wechat.next(CHECK, refuses(45009))
    for answer in FAILURES:
        upstream.answer_always(answer)
        await spoken.say("POST", "/api/chat", json=ask | {"stream": answer.content_type == "text/event-stream"}, **mine)
    upstream.answer_with(Answer.json({"data": [{"url": f"https://127.0.0.1:1/{KEY}"}]}), Answer.error(400, KEY))
    await spoken.say("POST", "/api/image", json={"prompt": WORDS}, **mine)
    form = FormData({"openid": OPENID})
    form.add_field("file", PNG[:40], filename=WORDS)
    await spoken.say("POST", "/api/files", data=form, **mine)
    for body in (f'{{"openid": "{WORDS}', f'{{"messages": "{WORDS}"}}', WORDS):
        await spoken.say(
            "POST", "/api/chat", data=body, headers={"Content-Type": "application/json", **mine["headers"]}
        )
    for path in (f"/{WORDS}", f"/api/turns/{WORDS}", f"/api/history/{WORDS}", f"/api/files/{WORDS}?signature={WORDS}"):
        await spoken.say("GET", path, **mine)
    upstream.answer_always(Answer.error(401, KEY))
    await spoken.say("GET", "/api/balance", **mine)
    await spoken.say("POST", "/api/token/refresh", json={"refreshToken": f"{WORDS}"})
    await spoken.say("GET", "/metrics", headers={"Authorization": f"Bearer {ADMIN}"})
    for path in ("/readyz", "/openapi.json", "/docs", "/"):
        await spoken.say("GET", path)
    return [token, session["refreshToken"]]


async def test_nothing_planted_comes_out(upstream: FakeUpstream, wechat: FakeWeChat, tmp_path: Path):
    settings = SETTINGS | wechat.variables | {"OPENAI_BASE_URL": upstream.base_url}
    async with run_service(tmp_path, **settings) as service, ClientSession(service.url) as client:
        spoken = Spoken(client)
        tokens = await live(spoken, upstream, wechat)
        logged = await service.stop()
    assert len(upstream.calls) > len(FAILURES)
    secret = [KEY, ADMIN, SIGNING, wechat.secret, "planted-session-key", "planted-token-1", upstream.origin[7:]]
    private = [WORDS, REPLY, OPENID, "planted-code", *tokens]
    assert [planted for planted in secret + private if planted in logged] == []
    heard = "\n".join(spoken.heard)
    assert [planted for planted in secret if planted in heard] == []
    assert "Traceback" not in logged + heard


async def test_an_upstream_that_is_not_there_is_not_named(tmp_path: Path):
    settings = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://127.0.0.1:9/planted-path", "LOG_LEVEL": "debug"}
    async with run_service(tmp_path, **settings) as service, ClientSession(service.url) as client:
        spoken = Spoken(client)
        ask = {"openid": OPENID, "messages": [{"role": "user", "content": WORDS}]}
        assert (await spoken.say("POST", "/api/chat", json=ask))["data"]["type"] == "upstream_unavailable"
        logged = await service.stop()
    for planted in (KEY, "127.0.0.1:9", WORDS, OPENID):
        assert planted not in logged
    assert "planted" not in str(spoken.heard)


def test_settings_do_not_show_their_secrets():
    settings = Settings.from_mapping(SETTINGS | {"WECHAT_SECRET": "planted-wechat"})
    for shown in (repr(settings), str(settings), f"{settings}", repr([settings])):
        assert "planted" not in shown
        assert "auth='required'" in shown


def test_a_secret_that_is_refused_is_not_repeated():
    with pytest.raises(StartError) as caught:
        Settings.from_mapping({"AUTH_SECRET": "planted"})
    assert "planted" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("inner", [logging.Formatter(), JsonFormatter()], ids=["text", "json"])
@pytest.mark.parametrize(
    "secret", [KEY, 'planted "quoted" \\ key', "planted+key/with=signs&more", "planted-\u5bc6\u94a5"]
)
def test_a_secret_in_a_traceback_is_blanked_out(inner: logging.Formatter, secret: str):
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(MaskingFormatter(inner, (secret,)))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    try:
        raise ValueError(f"GET https://relay.example/?key={secret}")
    except ValueError:
        logger.exception("it failed with %s", secret)
    assert "planted" not in written.getvalue()
    assert "***" in written.getvalue()
