"""The client file under Node: its own tests, and against the service with a WeChat beside it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.fakes.wechat import FakeWeChat

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
OWN_TESTS = sorted(path.name for path in HERE.glob("*.test.mjs") if path.name != "service.test.mjs")


def _find_node() -> str:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js 20 or newer is needed for the tests of chat-client.js, and no `node` is installed")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").partition(".")[0]) < 20:
        pytest.skip(f"Node.js 20 or newer is needed for the tests of chat-client.js; this is {version.strip()}")
    return node


async def _run_node_tests(*names: str, **variables: str) -> None:
    """Run files with Node's test runner; its report is the failure."""
    command = [_find_node(), "--test", "--test-concurrency=6", "--test-reporter=tap", *names]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=HERE, env={**os.environ, **variables}, stdout=PIPE, stderr=STDOUT
    )
    try:
        async with asyncio.timeout(100):
            report, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, report.decode()


@asynccontextmanager
async def _service(folder: Path, settings: Mapping[str, str]) -> AsyncIterator[str]:
    """The service as operators start it, answering from the demo upstream; gives its address."""
    common = {"HOST": "127.0.0.1", "PORT": "0", "RATE_LIMIT": "0", "IP_RATE_LIMIT": "0", "LOG_FORMAT": "text"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "run.py"), "--demo"),
        cwd=folder,
        env={"PATH": os.environ["PATH"], **common, **settings},
        stdout=PIPE,
        stderr=STDOUT,
    )
    log = bytearray()
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            while (listening := re.search(rb"listening on (http://\S+)", log)) is None:
                line = await process.stdout.readline()
                assert line, log.decode()
                log += line
        reading = asyncio.create_task(process.stdout.read())
        yield listening[1].decode()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
    await reading


async def test_the_client_file_passes_its_own_tests() -> None:
    await _run_node_tests(*OWN_TESTS)


async def test_the_client_file_works_with_the_service(tmp_path: Path) -> None:
    _find_node()
    async with FakeWeChat() as wechat:
        login = {"AUTH": "required", "DATABASE_URL": "sqlite:///data/login.db", **wechat.variables}
        codes = json.dumps([wechat.issue_code("wx-alice") for _ in range(6)])
        async with _service(tmp_path, {}) as local, _service(tmp_path, login) as required:
            await _run_node_tests("service.test.mjs", SERVICE_URL=local, LOGIN_SERVICE_URL=required, WECHAT_CODES=codes)
