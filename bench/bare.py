"""The reference: bare aiohttp and uvloop, one handler, one ClientSession, msgspec, and nothing else.

It checks nothing, stores nothing and fails with a stack: what a chat hop costs before it is a service.
`PORT=… UPSTREAM_URL=… python -m bench.bare`
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import msgspec
import uvloop
from aiohttp import ClientResponse, ClientSession, TCPConnector, web

from bench.script import MODEL

_SESSION = web.AppKey("session", ClientSession)
_UPSTREAM_URL = os.environ.get("UPSTREAM_URL", "") + "/chat/completions"
_JSON = {"Content-Type": "application/json"}


class Ask(msgspec.Struct):
    openid: str
    messages: msgspec.Raw
    stream: bool = False


class Message(msgspec.Struct):
    content: str


class Choice(msgspec.Struct):
    message: Message


class Completion(msgspec.Struct):
    choices: list[Choice]


_ask = msgspec.json.Decoder(Ask)
_completion = msgspec.json.Decoder(Completion)


async def chat(request: web.Request) -> web.StreamResponse:
    """Relay a stream line by line, as most gateways do."""
    ask = _ask.decode(await request.read())
    body = msgspec.json.encode({"model": MODEL, "messages": ask.messages, "stream": ask.stream})
    async with request.app[_SESSION].post(_UPSTREAM_URL, data=body, headers=_JSON) as upstream:
        if ask.stream:
            return await _relay(request, upstream, aiter(upstream.content))
        completion = _completion.decode(await upstream.read())
    answer = {"code": 0, "msg": "ok", "data": {"reply": completion.choices[0].message.content}}
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


async def chat_reads(request: web.Request) -> web.StreamResponse:
    """Relay a stream by whole reads: take what has arrived, write once."""
    ask = _ask.decode(await request.read())
    body = msgspec.json.encode({"model": MODEL, "messages": ask.messages, "stream": True})
    async with request.app[_SESSION].post(_UPSTREAM_URL, data=body, headers=_JSON) as upstream:
        return await _relay(request, upstream, upstream.content.iter_any())


async def _relay(request: web.Request, upstream: ClientResponse, data: AsyncIterator[bytes]) -> web.StreamResponse:
    answer = web.StreamResponse(status=upstream.status, headers={"Content-Type": "text/event-stream"})
    await answer.prepare(request)
    async for part in data:
        await answer.write(part)
    return answer


async def _session(app: web.Application) -> AsyncIterator[None]:
    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        app[_SESSION] = session
        yield


def create_app() -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(_session)
    app.add_routes([web.post("/api/chat", chat), web.post("/api/chat/reads", chat_reads)])
    return app


if __name__ == "__main__":
    web.run_app(
        create_app(),
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        access_log=None,
        print=None,
        backlog=4096,
        loop=uvloop.new_event_loop(),
    )
