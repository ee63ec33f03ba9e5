"""The service as a frontend meets it: over HTTP, with a fake upstream behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from service.app import create_app
from service.clock import SystemClock
from service.domain.pace import Pace
from service.settings import Settings
from service.web.protocol import use_own_protocol
from tests.fakes.upstream import FakeUpstream
from tests.web.event_reader import Event, read_events

SECRET = "planted-secret-of-the-tests-0123456789"
Start = Callable[..., Awaitable["Api"]]


class SetClock(SystemClock):
    """The real time, moved on by hand."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


class Api:
    """A client of one running service: answers as (status, envelope)."""

    def __init__(self, client: TestClient[Any, Any], clock: SetClock) -> None:
        self.client = client
        self.clock = clock

    async def get(self, path: str, **options: Any) -> tuple[int, dict[str, Any]]:
        async with self.client.get(path, **options) as response:
            return response.status, await response.json()

    async def post(self, path: str, body: Any = None, **options: Any) -> tuple[int, dict[str, Any]]:
        async with self.client.post(path, json=body, **options) as response:
            return response.status, await response.json()

    async def data(self, path: str, body: Any = None, **options: Any) -> Any:
        """The data of a call that must succeed: a POST where there is a body."""
        status, envelope = await (self.get(path, **options) if body is None else self.post(path, body, **options))
        assert (status, envelope["code"], envelope["msg"]) == (200, 0, "ok"), envelope
        return envelope["data"]

    async def chat(self, text: str = "hi", openid: str = "ann", headers: Any = None, **more: Any) -> Any:
        body = {"openid": openid, "messages": [{"role": "user", "content": text}], **more}
        return await self.data("/api/chat", body, headers=headers)

    def open_stream(self, text: str = "hi", openid: str = "ann", headers: Any = None, **more: Any) -> Any:
        """The response of a streamed chat, as a context manager."""
        body = {"openid": openid, "messages": [{"role": "user", "content": text}], "stream": True, **more}
        return self.client.post("/api/chat", json=body, headers=headers)

    async def stream(self, text: str = "hi", **more: Any) -> list[Event]:
        """All events of a streamed chat."""
        async with self.open_stream(text, **more) as response:
            assert response.status == 200, await response.text()
            return [event async for event in read_events(response)]

    async def resume(self, turn_id: str, after: str | None = None, **query: Any) -> list[Event]:
        """All events of a turn after a cursor."""
        params = {"stream": "true", **({"after": after} if after else {}), **query}
        async with self.client.get(f"/api/turns/{turn_id}", params=params) as response:
            assert response.status == 200, await response.text()
            return [event async for event in read_events(response)]

    async def history(self, openid: str = "ann") -> list[Any]:
        return list((await self.data(f"/api/history/{openid}"))["history"])


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as fake:
        yield fake


@pytest.fixture
async def start(upstream: FakeUpstream, tmp_path: Path) -> AsyncIterator[Start]:
    """Start a service with some settings; started again, it finds what the one before has stored."""
    running: list[TestClient[Any, Any]] = []
    clock = SetClock()

    async def start(*, pace: Pace | None = None, routes: Iterable[web.RouteDef] = (), **values: str) -> Api:
        while running:
            await running.pop().close()
        base = {
            "OPENAI_API_KEY": "sk-planted-key",
            "OPENAI_BASE_URL": upstream.base_url,
            "DATABASE_URL": f"sqlite:///{tmp_path}/data/service.db",
            "FILES_DIR": f"{tmp_path}/data/files",
            "AUTH_SECRET": SECRET,
            "MSG_LANGUAGE": "en",
        }
        settings = Settings.from_mapping({**base, **values})
        app = create_app(settings, clock=clock, pace=pace)
        app.add_routes(routes)
        server = TestServer(app)
        await server.start_server(access_log=None)
        assert server.runner
        assert server.runner.server
        use_own_protocol(server.runner.server, settings.msg_language)
        client: TestClient[Any, Any] = TestClient(server)
        running.append(client)
        return Api(client, clock)

    yield start
    for client in running:
        await client.close()


@pytest.fixture
async def api(start: Start) -> Api:
    """A service with the default settings."""
    return await start()
