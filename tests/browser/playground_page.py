"""The playground as its user sees it: what is typed, clicked and read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, ConsoleMessage, Locator, Page

_COUNTED = re.compile(r"Second (\d+) \.\.\.")


class PlaygroundPage:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: self.requests.append(f"{request.method} {request.url}"))

    @classmethod
    async def open(cls, context: BrowserContext, address: str) -> PlaygroundPage:
        opened = cls(await context.new_page())
        await opened.page.goto(address)
        await opened.page.locator("#send").wait_for()
        return opened

    async def another_tab(self) -> PlaygroundPage:
        """The same address in another tab of the same browser."""
        return await PlaygroundPage.open(self.page.context, self.page.url)

    async def ask(self, text: str) -> Locator:
        """Send a question; gives its turn."""
        turns = self.page.locator(".turn")
        before = await turns.count()
        await self.page.fill("#prompt", text)
        await self.page.press("#prompt", "Enter")
        return turns.nth(before)

    async def ended(self, turn: Locator, state: str = "completed", seconds: float = 20) -> str:
        """Wait for the end of a turn; gives the text of its reply."""
        await turn.locator(f".answer[data-state={state}]").wait_for(timeout=seconds * 1000)
        return await self.text_of(turn)

    async def text_of(self, turn: Locator) -> str:
        return (await turn.locator(".markdown").text_content()) or ""

    async def counted(self, turn: Locator) -> list[int]:
        """The seconds that the slow reply has counted by now."""
        return [int(number) for number in _COUNTED.findall(await self.text_of(turn))]

    async def wait_for_second(self, number: int) -> None:
        await self.page.locator(".markdown", has_text=f"Second {number} ...").first.wait_for()

    async def stored(self) -> list[dict[str, Any]]:
        """This user's turns as the service has them."""
        openid = await self.evaluate("JSON.parse(localStorage['chat-client:' + location.origin]).openid")
        envelope = await self.evaluate(f"fetch('/api/history/{openid}?limit=100').then((response) => response.json())")
        return list(envelope["data"]["history"])

    async def evaluate(self, expression: str) -> Any:
        return await self.page.evaluate(expression)

    async def forget_expected(self, words: str) -> None:
        """Take complaints back that a test has caused on purpose, as a failed request."""
        self.complaints = [line for line in self.complaints if words not in line]

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")


def counts_on(seconds: list[int]) -> bool:
    """Nothing is missing, and nothing is there twice."""
    return seconds == list(range(1, len(seconds) + 1))
