"""run.py as an operator meets it: a real process that answers, or one sentence that says why not."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from service.clock import SystemClock
from service.domain.tokens import AccessTokens
from tests.fakes.upstream import Answer, FakeUpstream
from tests.run_process import begin, refusal, running
from tests.web.service_process import RUN, ServiceProcess

SEED = '{"openid":"test","messages":[{"role":"user","content":"你好"}]}'
JSON = {"Content-Type": "application/json"}
SECRET = "planted-secret-of-the-tests-0123456789"


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as fake:
        yield fake


async def test_the_demo_answers_the_seeds_curl_line_and_all_its_endpoints(tmp_path: Path):
    async with running(tmp_path, "--demo") as service, ClientSession(service.url) as client:

        async def data(method: str, path: str, **options: Any) -> Any:
            async with client.request(method, path, **options) as response:
                envelope = await response.json()
                assert (response.status, envelope["code"], envelope["msg"]) == (200, 0, "ok"), envelope
                return envelope["data"]

        reply = (await data("POST", "/api/chat", data=SEED, headers=JSON))["reply"]
        assert "你好" in reply
        (item,) = (await data("GET", "/api/history/test"))["history"]
        assert (item["messages"][0]["content"], item["reply"]) == ("你好", reply)
        drawn = await data("POST", "/api/image", json={"prompt": "a lake", "n": 1, "size": "256x256"})
        assert drawn["images"][0].startswith("data:image/png;base64,")
        assert (await data("GET", "/api/user/test"))["usage"]["total"]["turns"] == 1
        assert (await data("POST", "/api/token/refresh"))["token"].count(".") == 2
        balance = await data("GET", "/api/balance")
        assert balance["total_limit"] - balance["total_usage"] == pytest.approx(balance["remaining"])
    assert (tmp_path / "data" / "service.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


async def test_the_demo_needs_no_key_and_takes_a_placeholder_for_one(tmp_path: Path):
    async with running(
        tmp_path, "--demo", OPENAI_API_KEY="你的API密钥", OPENAI_BASE_URL="https://nobody.invalid"
    ) as service:
        assert "with the demo upstream" in service.said


BAD_STARTS = [
    ({}, "OPENAI_API_KEY is not set", "--demo"),
    ({"OPENAI_API_KEY": "你的API密钥"}, "OPENAI_API_KEY is no key", ".env"),
    ({"PORT": "abc"}, "PORT='abc'", "from 0 to 65535"),
    ({"AUTH_SECRET": "planted"}, "AUTH_SECRET=***", "32 characters"),
    ({"DATABASE_URL": "postgresql://me:planted@db/x"}, "DATABASE_URL='postgresql://***@db/x'", "sqlite:///"),
    ({"HOST": "203.0.113.7", "OPENAI_API_KEY": "x"}, "HOST='203.0.113.7' PORT=0", "cannot"),
    ({"FILES_DIR": "/dev/null/files", "OPENAI_API_KEY": "x"}, "FILES_DIR='/dev/null/files'", "Not a directory"),
]


@pytest.mark.parametrize(("settings", "what", "allowed"), BAD_STARTS)
async def test_a_start_that_cannot_be_is_told_in_one_sentence(
    tmp_path: Path, settings: dict[str, str], what: str, allowed: str
):
    sentence = await refusal(tmp_path, **settings)
    assert what in sentence
    assert allowed in sentence
    assert "planted" not in sentence


async def test_a_port_that_is_taken_is_told(tmp_path: Path):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        assert f"PORT={port}" in await refusal(tmp_path, "--demo", PORT=port)


async def test_the_settings_beside_run_py_are_read_and_the_environment_wins(tmp_path: Path, upstream: FakeUpstream):
    run = Path(shutil.copy(RUN, tmp_path))
    lines = (
        "OPENAI_API_KEY=sk-kept",
        f"OPENAI_BASE_URL={upstream.origin}/v1/chat/completions",
        "OPENAI_MODEL='kept-model' # mine",
        "SYSTEM_PROMPT=cost: ${HOME}",
    )
    (tmp_path / ".env").write_text("\r\n".join(lines), encoding="utf-8-sig")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with (
        running(elsewhere, run=run, OPENAI_MODEL="given-model") as service,
        ClientSession(service.url) as client,
        client.post("/api/chat", data=SEED.encode(), headers=JSON) as response,
    ):
        assert response.status == 200
    (call,) = upstream.calls
    assert call.path == "/v1/chat/completions"
    assert call.headers["Authorization"] == "Bearer sk-kept"
    assert call.json["model"] == "given-model"
    assert call.json["messages"][0] == {"role": "system", "content": "cost: ${HOME}"}
    assert (elsewhere / "data" / "service.db").exists()


async def test_settings_that_are_no_utf8_are_told(tmp_path: Path):
    run = Path(shutil.copy(RUN, tmp_path))
    (tmp_path / ".env").write_bytes("SYSTEM_PROMPT=你好".encode("gbk"))
    assert "UTF-8" in await refusal(tmp_path, run=run)


async def test_a_token_is_printed_for_whom_it_is_asked(tmp_path: Path):
    process = await begin(tmp_path, "token", "小明", AUTH_SECRET=SECRET)
    token, _ = await process.communicate()
    assert process.returncode == 0
    assert AccessTokens((SECRET,), SystemClock()).openid_of(token.decode().strip()) == "小明"
    assert "OPENID" in await refusal(tmp_path, "token", "", AUTH_SECRET=SECRET)


async def test_a_stop_lets_a_turn_end_and_exits_with_0(tmp_path: Path, upstream: FakeUpstream):
    gate = asyncio.Event()
    upstream.answer_with(Answer.completion("to the end").held(gate))
    process = await begin(tmp_path, OPENAI_API_KEY="x", OPENAI_BASE_URL=upstream.base_url)
    service = ServiceProcess(process)
    await service.listen()
    async with ClientSession(service.url) as client:
        asking = asyncio.create_task(client.post("/api/chat", data=SEED.encode(), headers=JSON))
        await upstream.called()
        process.terminate()
        async with asyncio.timeout(10):
            while "stopping" not in service.said:
                await asyncio.sleep(0.01)
            async with client.post("/api/chat", data=SEED.encode(), headers=JSON) as response:
                assert (response.status, (await response.json())["data"]["type"]) == (503, "stopping")
            gate.set()
            async with await asking as response:
                assert (await response.json())["data"]["reply"] == "to the end"
    async with asyncio.timeout(10):
        assert await process.wait() == 0
    assert "Traceback" not in await service.stop()


async def test_a_second_interrupt_waits_for_no_turn_and_keeps_its_part(tmp_path: Path, upstream: FakeUpstream):
    upstream.answer_with(Answer.stream("a part", asyncio.Event()))
    process = await begin(tmp_path, OPENAI_API_KEY="x", OPENAI_BASE_URL=upstream.base_url)
    service = ServiceProcess(process)
    await service.listen()
    async with ClientSession(service.url) as client:
        body = SEED.encode().removesuffix(b"}") + b', "stream": true}'
        async with client.post("/api/chat", data=body, headers=JSON) as response, asyncio.timeout(10):
            await response.content.readuntil(b"a part")
            process.send_signal(signal.SIGINT)
            while "stopping" not in service.said:
                await asyncio.sleep(0.01)
            process.send_signal(signal.SIGINT)
            assert b'"interrupted"' in await response.read()
            assert await process.wait() == 130
    assert "Traceback" not in await service.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_stop_right_at_the_start_is_a_clean_one(tmp_path: Path, number: signal.Signals):
    process = await begin(tmp_path, "--demo")
    service = ServiceProcess(process)
    await service.listen()
    process.send_signal(number)
    async with asyncio.timeout(10):
        assert await process.wait() == 0
    assert "Traceback" not in await service.stop()
