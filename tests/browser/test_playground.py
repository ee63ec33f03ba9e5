"""Asking in the page, in a real browser, against the real service that answers from the demo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.demo.replies import LONG_BYTES
from tests.browser.playground_page import counts_on

if TYPE_CHECKING:
    from tests.browser.conftest import Asked, OpenPage
    from tests.browser.playground_page import PlaygroundPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

ACTING = "script, iframe, svg:not([aria-hidden]), form, style, base, math"


async def test_an_answer_streams_in_and_is_what_the_service_has_stored(page: PlaygroundPage):
    turn = await page.ask("a markdown table please")
    await turn.locator(".answer[data-state=running] .markdown h2").wait_for()
    assert await page.page.get_attribute("#send", "aria-label") == "Stop"
    await page.ended(turn)
    (stored,) = await page.stored()
    await turn.hover()
    await page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await turn.locator(".actions [aria-label=Copy]").click()
    assert await page.evaluate("navigator.clipboard.readText()") == stored["reply"]


async def test_markdown_is_shown_with_tables_lists_and_coloured_code(open_page: OpenPage, asked: Asked):
    page = await open_page(openid=asked.openid, place=f"#/c/{asked.markdown}")
    turn = page.page.locator(".turn")
    await page.ended(turn)
    assert await turn.locator("table tbody tr").count() == 3
    assert await turn.locator("td[align=right]").count() == 3
    assert await turn.locator("li > input[type=checkbox][disabled]").count() == 2
    await turn.locator("pre .hljs-keyword").first.wait_for()


async def test_a_stopped_answer_keeps_what_was_there(page: PlaygroundPage):
    turn = await page.ask("slow")
    await page.wait_for_second(1)
    await page.page.keyboard.press("Escape")
    await page.ended(turn, "stopped")
    assert counts_on(await page.counted(turn))
    assert (await page.stored())[0]["status"] == "stopped"


async def test_reasoning_is_open_while_it_comes_and_folded_after(page: PlaygroundPage):
    turn = await page.ask("think about chickens")
    await turn.locator("details.reasoning[open] p", has_text="Suppose all were chickens").wait_for()
    reply = await page.ended(turn)
    assert "23 chickens" in reply
    assert not await turn.locator("details.reasoning").evaluate("(details) => details.open")
    await turn.locator("details.reasoning summary").click()
    assert await turn.locator("details.reasoning p").is_visible()


async def test_a_failure_tells_what_to_do_and_can_be_tried_again(page: PlaygroundPage):
    turn = await page.ask("error")
    failure = turn.locator(".failure")
    await failure.wait_for()
    assert "please try again" in (await failure.text_content() or "")
    await failure.locator("button").click()
    again = page.page.locator(".turn").nth(1)
    await again.locator(".failure").wait_for()
    assert await again.locator(".bubble").text_content() == "error"


async def test_shift_enter_and_an_input_method_do_not_send(page: PlaygroundPage):
    await page.page.fill("#prompt", "one")
    await page.page.press("#prompt", "Shift+Enter")
    await page.page.type("#prompt", "two")
    composing = "new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true })"
    await page.evaluate(f"document.getElementById('prompt').dispatchEvent({composing})")
    assert await page.page.input_value("#prompt") == "one\ntwo"
    assert await page.page.locator(".turn").count() == 0


async def test_a_suggestion_asks_its_question(page: PlaygroundPage):
    await page.page.locator(".suggestion", has_text="Stop, drop, resume").click()
    assert await page.page.locator(".bubble").text_content() == "Count to sixty, slow and steady"
    assert not await page.page.locator("#empty").is_visible()
    await page.page.click("#send")
    await page.ended(page.page.locator(".turn"), "stopped")


async def test_no_script_of_a_reply_runs(page: PlaygroundPage):
    turn = await page.ask("script")
    reply = await page.ended(turn)
    assert "<script>document.title" in reply
    assert await page.evaluate("'xss' in window") is False
    assert await page.page.title() == "script · Playground"
    assert await turn.locator(f".markdown :is({ACTING})").count() == 0
    links = await turn.locator(".markdown a").evaluate_all("(links) => links.map((link) => link.getAttribute('href'))")
    assert set(links) <= {None, "https://attacker.invalid/"}
    # The browser's own complaints of a refused script would be in `complaints`: nothing came so far.
    assert page.complaints == []


async def test_a_reader_who_scrolls_up_is_left_there(page: PlaygroundPage):
    turn = await page.ask("long")
    await turn.locator("h2", has_text="Chapter 3").first.wait_for()
    await page.page.locator("#scroller").hover()
    await page.page.mouse.wheel(0, -3000)
    await page.page.locator("#jump").wait_for()
    top = await page.page.locator("#scroller").evaluate("(scroller) => scroller.scrollTop")
    await turn.locator("h2", has_text="Chapter 5").first.wait_for()
    assert await page.page.locator("#scroller").evaluate("(scroller) => scroller.scrollTop") == top
    await page.page.click("#jump")
    await page.page.locator("#jump").wait_for(state="hidden")
    await page.page.click("#send")
    await page.ended(turn, "stopped")


async def test_a_reply_of_100_kb_stays_fluid(long_reading: PlaygroundPage):
    page = long_reading
    turn = page.page.locator(".turn")
    reply = await page.ended(turn, seconds=30)
    assert len(reply.encode()) > LONG_BYTES * 0.98
    at_the_end = "(scroller) => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 40"
    assert await page.page.locator("#scroller").evaluate(at_the_end)
    stalls = await page.evaluate("stalls")
    assert max(stalls, default=0) < 500, stalls
    # Only its last block is read anew when something comes in.
    assert await page.evaluate("charactersParsed") < 20 * len(reply)
    assert page.complaints == []
