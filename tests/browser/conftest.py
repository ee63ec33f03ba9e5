"""A browser, and the service as an operator starts it: `run.py --demo` on a free port, in a folder of its own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
import time
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jwt
import pytest
import pytest_asyncio
from aiohttp import ClientSession

from tests.browser.playground_page import PlaygroundPage

if TYPE_CHECKING:
    from playwright.async_api import Browser

ROOT = Path(__file__).parent.parent.parent
WIDE_TABLE = "\n".join("|" + f" {cell} |" * 12 for cell in ("column", "---", "content"))
SECRET = "secret-of-the-browser-tests-0123456789"
# What is there to be shown must not wait for others who use the same upstream or the same address.
SETTINGS = {
    "HOST": "127.0.0.1",
    "PORT": "0",
    "RATE_LIMIT": "0",
    "IP_RATE_LIMIT": "0",
    "MAX_TURNS_PER_USER": "100",
    "SHUTDOWN_GRACE_SECONDS": "0",
    "LOG_FORMAT": "text",
}


def _find_chromium() -> str:
    """The one that CHROMIUM names, else Debian's: without a window, which is lighter, or whole."""
    names = (os.environ.get("CHROMIUM"), "chromium-headless-shell", "chromium", "google-chrome")
    found = next(filter(None, (shutil.which(name) for name in names if name)), None)
    if found is None:
        pytest.skip("no Chromium: `apt-get install chromium-headless-shell`, or name one in CHROMIUM")
    return found


@asynccontextmanager
async def _start(folder: Path, **settings: str) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "run.py"), "--demo"),
        cwd=folder,
        env={"PATH": os.environ["PATH"], **SETTINGS, **settings},
        stdout=PIPE,
        stderr=STDOUT,
    )
    log = bytearray()
    assert process.stdout is not None
    reading: asyncio.Task[bytes] | None = None
    try:
        async with asyncio.timeout(30):
            while (listening := re.search(rb"listening on (http://\S+)", log)) is None:
                line = await process.stdout.readline()
                assert line, log.decode()
                log += line
        reading = asyncio.create_task(process.stdout.read())  # a full pipe would stop the service
        yield listening[1].decode()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        if reading:
            await reading


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    playwright = pytest.importorskip("playwright.async_api", reason="no Playwright: pip install -e '.[browser]'")
    chromium = _find_chromium()
    async with playwright.async_playwright() as driver:
        launched = await driver.chromium.launch(executable_path=chromium)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a service with AUTH=local."""
    async with _start(tmp_path_factory.mktemp("service")) as address:
        yield address


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def guarded_service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, str]]:
    """The address of a service with AUTH=required, and a token for `ann`."""
    claims = {"sub": "ann", "exp": int(time.time()) + 600}
    token = jwt.encode(claims, SECRET, algorithm="HS256")
    async with _start(tmp_path_factory.mktemp("guarded"), AUTH="required", AUTH_SECRET=SECRET) as address:
        yield address, token


class Asked(NamedTuple):
    """What a user has asked before the tests: conversations. Shape: `wide` is quoted in its reply, `many` are 25 turns,
    all of them failed."""

    openid: str
    markdown: str
    wide: str
    many: str


@pytest_asyncio.fixture(scope="session", loop_scope="session", autouse=True)
async def asking(browser: Browser, service: str) -> AsyncIterator[asyncio.Task[Asked]]:
    """Asked while the first tests run: the demo takes its time. Not before there is a browser to run them in."""
    task = asyncio.create_task(_ask_all(service))
    yield task
    await task


@pytest_asyncio.fixture(loop_scope="session")
async def asked(asking: asyncio.Task[Asked]) -> Asked:
    return await asking


async def _ask_all(service: str) -> Asked:
    async with ClientSession(service) as session:

        async def ask(text: str, **more: str) -> str:
            body = {"openid": "reader", "messages": [{"role": "user", "content": text}], **more}
            async with session.post("/api/chat", json=body) as response:
                turn_id = (await response.json())["data"]["turn_id"]
            async with session.get(f"/api/turns/{turn_id}") as response:
                return str((await response.json())["data"]["conversation_id"])

        async def ask_many() -> str:
            conversation = await ask("error 24")
            await asyncio.gather(*(ask(f"error {number}", conversation_id=conversation) for number in range(24)))
            return conversation

        markdown, wide, many, _ = await asyncio.gather(
            ask("markdown"), ask(WIDE_TABLE), ask_many(), ask("to be deleted: error")
        )
        return Asked("reader", markdown, wide, many)


@pytest_asyncio.fixture(scope="session", loop_scope="session", autouse=True)
async def long_reading(browser: Browser, service: str) -> AsyncIterator[PlaygroundPage]:
    """A page that is told a very long reply meanwhile: it takes ten seconds."""
    opener = OpenPage(browser, service)
    page = await opener()
    await page.evaluate(
        """() => {
          window.stalls = [];
          window.charactersParsed = 0;
          const parse = DOMParser.prototype.parseFromString;
          DOMParser.prototype.parseFromString = function (html, ...more) {
            charactersParsed += String(html).length;
            return parse.call(this, html, ...more);
          };
          new PerformanceObserver((list) => stalls.push(...list.getEntries().map((entry) => entry.duration)))
            .observe({ entryTypes: ['longtask'] });
        }"""
    )
    await page.ask("long")
    yield page
    await page.page.context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, service: str) -> AsyncIterator[OpenPage]:
    """Open the page as a new user would; every one must have ended without a complaint of the browser."""
    opener = OpenPage(browser, service)
    yield opener
    for page in opener.pages:
        assert page.complaints == []
        await page.page.context.close()


class OpenPage:
    def __init__(self, browser: Browser, address: str) -> None:
        self._browser = browser
        self._address = address
        self.pages: list[PlaygroundPage] = []

    async def __call__(
        self,
        *,
        address: str = "",
        place: str = "",
        openid: str = "",
        locale: str = "en-US",
        width: int = 1280,
        height: int = 800,
        **context: Any,
    ) -> PlaygroundPage:
        made = await self._browser.new_context(
            locale=locale,
            viewport={"width": width, "height": height},
            **context,
        )
        made.set_default_timeout(10_000)
        address = address or self._address
        if openid:
            session = json.dumps({"openid": openid})
            await made.add_init_script(f"localStorage['chat-client:' + location.origin] = JSON.stringify({session})")
        page = await PlaygroundPage.open(made, f"{address}/{place}")
        self.pages.append(page)
        return page


@pytest_asyncio.fixture(loop_scope="session")
async def page(open_page: OpenPage) -> PlaygroundPage:
    return await open_page()
