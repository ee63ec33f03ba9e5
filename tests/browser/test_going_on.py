"""Answers that go on: after a reload, over a lost line, in two tabs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.line import line_to
from tests.browser.playground_page import counts_on

if TYPE_CHECKING:
    from playwright.async_api import Route

    from tests.browser.conftest import OpenPage
    from tests.browser.playground_page import PlaygroundPage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_reload_in_mid_answer_goes_on_where_it_was(page: PlaygroundPage):
    await page.ask("slow")
    await page.wait_for_second(1)
    page.requests.clear()
    await page.page.reload()
    await page.wait_for_second(2)
    assert any(re.search(r"/api/turns/\w+\?.*stream=true&after=\w+", request) for request in page.requests)
    await page.page.click("#send")
    turn = page.page.locator(".turn")
    await page.ended(turn, "stopped")
    (stored,) = await page.stored()
    counted = await page.counted(turn)
    assert counts_on(counted)
    assert len(counted) == stored["reply"].count("Second")


async def test_a_question_that_was_on_its_way_is_sent_again_with_the_same_key(page: PlaygroundPage):
    keys: list[str] = []

    async def lose_the_first(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 1:
            await route.continue_()

    await page.page.route("**/api/chat", lose_the_first)
    await page.ask("error")
    await page.page.locator(".dots").wait_for()
    await page.page.reload()
    await page.page.locator(".failure").wait_for()
    assert await page.page.locator(".bubble").all_text_contents() == ["error"]
    assert keys == [keys[0]] * 2
    await page.page.reload()
    await page.page.locator(".failure").wait_for()
    assert len(keys) == 2


async def test_a_moment_without_a_network_loses_nothing(open_page: OpenPage, service: str):
    async with line_to(service) as line:
        page = await open_page(address=line.address)
        turn = await page.ask("slow")
        await page.wait_for_second(1)
        line.cut()
        await page.page.context.set_offline(True)
        await page.page.locator("#offline").wait_for()
        await turn.locator(".notes", has_text="reconnecting").wait_for()
        line.mend()
        await page.page.context.set_offline(False)
        await page.wait_for_second(3)
        assert not await page.page.locator("#offline").is_visible()
        assert await turn.locator(".notes").text_content() == ""
        await page.page.click("#send")
        await page.ended(turn, "stopped")
        assert counts_on(await page.counted(turn))
        await page.forget_expected("net::ERR_")


async def test_two_tabs_follow_the_same_turn(page: PlaygroundPage):
    first = await page.ask("slow")
    await page.wait_for_second(1)
    other = await page.another_tab()
    await other.wait_for_second(2)
    await other.page.click("#send")
    seen = other.page.locator(".turn").first
    await other.ended(seen, "stopped")
    await page.ended(first, "stopped")
    assert await page.text_of(first) == await other.text_of(seen)
    # And what is asked in one is seen in the other.
    await other.ask("error")
    await page.page.locator(".turn").nth(1).locator(".failure").wait_for()
    assert other.complaints == []
