"""How the page looks: its language, its colours, its width, and to those who cannot see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import Asked, OpenPage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_language_follows_the_browser_and_the_button(open_page: OpenPage):
    page = await open_page(locale="zh-CN")
    assert "今天想聊点什么" in (await page.page.locator("#empty").text_content() or "")
    await page.page.click("#toggle-language")
    assert "What is on your mind" in (await page.page.locator("#empty").text_content() or "")
    assert await page.evaluate("document.documentElement.lang") == "en"
    await page.page.reload()
    assert await page.page.get_attribute("#prompt", "aria-label") == "Message"
    chinese = await page.evaluate("document.querySelector('.app').innerText.match(/[\\u4e00-\\u9fff]+/g)")
    assert chinese == ["中"]


async def test_the_theme_follows_the_system_and_the_button(open_page: OpenPage):
    page = await open_page(color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = await page.evaluate(ground)
    await page.page.click("#toggle-theme")
    assert await page.evaluate(ground) != dark
    await page.page.reload()
    assert await page.evaluate(ground) != dark


async def test_a_phone_shows_all_without_scrolling_sideways(open_page: OpenPage, asked: Asked):
    page = await open_page(openid=asked.openid, width=360, height=640, has_touch=True, is_mobile=True)
    width = "document.documentElement.scrollWidth"
    assert await page.evaluate(width) == 360
    assert not await page.page.locator("#sidebar").is_visible()
    await page.page.click("#open-sidebar")
    await page.page.locator("#conversations a", has_text="column").click()
    await page.page.locator("#sidebar").wait_for(state="hidden")
    await page.ended(page.page.locator(".turn"))
    assert await page.page.locator("blockquote table tr").count() == 2
    assert await page.evaluate(width) == 360
    assert await page.page.locator("#scroller").evaluate("(scroller) => scroller.clientWidth") == 360
    sideways = "(element) => element.scrollWidth > element.clientWidth"
    assert not await page.page.locator("#scroller").evaluate(sideways)
    await page.page.click("#open-settings")
    assert not await page.page.locator("#settings").evaluate(sideways)


async def test_everything_that_can_be_pressed_has_a_name(open_page: OpenPage, asked: Asked):
    page = await open_page(openid=asked.openid, place=f"#/c/{asked.markdown}")
    await page.ended(page.page.locator(".turn"))
    nameless = """() => [...document.querySelectorAll('button, a[href], input, textarea, select')]
      .filter((element) => element.checkVisibility() && !element.disabled)
      .filter((element) => !(element.innerText || element.ariaLabel || element.labels?.[0]?.textContent).trim())
      .map((element) => element.outerHTML)"""
    assert await page.evaluate(nameless) == []
    await page.page.click("#open-settings")
    assert await page.evaluate(nameless) == []
