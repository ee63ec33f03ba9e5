"""What was said before, and who said it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import Asked, OpenPage
    from tests.browser.playground_page import PlaygroundPage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_conversations_are_listed_opened_and_deleted(open_page: OpenPage, asked: Asked):
    page = await open_page(openid=asked.openid)
    entries = page.page.locator("#conversations a")
    await entries.nth(3).wait_for()
    assert {"error 24", "markdown", "to be deleted: error"} < set(await entries.all_text_contents())
    await entries.filter(has_text="to be deleted").click()
    await page.page.locator(".bubble", has_text="to be deleted: error").wait_for()
    assert await page.page.locator(".turn").count() == 1
    assert await page.page.locator("#title").text_content() == "to be deleted: error"
    entry = page.page.locator("#conversations li", has_text="to be deleted")
    await entry.hover()
    await entry.locator("[aria-label='Delete conversation']").click()
    await page.page.locator("#confirm .danger").click()
    await page.page.locator("#empty").wait_for()
    await entries.nth(3).wait_for(state="detached")
    assert "to be deleted: error" not in await entries.all_text_contents()


async def test_a_new_conversation_begins_empty(open_page: OpenPage, asked: Asked):
    page = await open_page(openid=asked.openid, place=f"#/c/{asked.markdown}")
    await page.page.locator(".turn").wait_for()
    await page.page.click("#new-chat")
    await page.page.locator("#empty").wait_for()
    assert asked.markdown not in page.page.url
    assert await page.page.locator(".turn").count() == 0


async def test_earlier_turns_come_when_they_are_asked_for(open_page: OpenPage, asked: Asked):
    page = await open_page(openid=asked.openid, place=f"#/c/{asked.many}")
    turns = page.page.locator(".turn")
    await turns.nth(19).wait_for()
    assert await turns.count() == 20
    await turns.last.locator(".failure", has_text="please try again").wait_for()
    await page.page.click("#earlier")
    await turns.nth(24).wait_for()
    assert await turns.first.locator(".bubble").text_content() == "error 24"
    assert not await page.page.locator("#earlier").is_visible()


async def test_the_profile_is_changed_and_shown(page: PlaygroundPage):
    assert await page.page.locator("#account-name").text_content() == "Guest"
    await page.page.locator("#account-balance", has_text="$87.6").wait_for()
    await page.page.click("#open-profile")
    await page.page.fill("#field-nickname", "小明")
    await page.page.fill("#field-email", "nobody")
    await page.page.click("#profile button[type=submit]")
    await page.page.locator("#profile .complaint").wait_for()
    await page.page.fill("#field-email", "ming@example.com")
    await page.page.click("#profile button[type=submit]")
    await page.page.locator("#account-name", has_text="小明").wait_for()
    await page.forget_expected("400 (Bad Request)")


async def test_a_service_that_wants_a_token_gets_the_one_that_is_pasted(
    open_page: OpenPage, guarded_service: tuple[str, str]
):
    address, token = guarded_service
    page = await open_page(address=address)
    field = page.page.locator("#settings #token")
    await field.wait_for()
    assert "paste a token" in (await page.page.locator("#settings .complaint").text_content() or "")
    await field.fill(token)
    await field.press("Enter")
    await page.page.locator("#account-balance", has_text="left").wait_for()
    await page.page.reload()
    await page.page.click("#open-profile")
    await page.page.locator("#profile code", has_text="ann").wait_for()
    await page.forget_expected("401 (Unauthorized)")


async def test_another_model_can_be_asked_for(page: PlaygroundPage):
    await page.page.click("#open-settings")
    await page.page.fill("#model", "gpt-nothing")
    await page.page.keyboard.press("Tab")
    await page.page.keyboard.press("Escape")
    turn = await page.ask("hi")
    await turn.locator(".failure", has_text="not offered here").wait_for()
    await page.forget_expected("400 (Bad Request)")
