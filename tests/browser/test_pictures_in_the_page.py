"""Pictures: drawn, shown large, uploaded, pasted and dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.demo.drawing import draw

if TYPE_CHECKING:
    from tests.browser.playground_page import PlaygroundPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

PNG = draw("0" * 32, 64, 64)


async def test_pictures_are_drawn_zoomed_and_can_be_kept(page: PlaygroundPage):
    await page.page.click("#pictures-link")
    await page.page.select_option("#image-count", "2")
    turn = await page.ask("two mountains")
    await page.ended(turn)
    images = turn.locator(".gallery img")
    assert await images.count() == 2
    await images.first.evaluate("(image) => image.decode()")
    assert await images.first.evaluate("(image) => [image.naturalWidth, image.naturalHeight]") == [1024, 1024]
    assert (await turn.locator(".gallery a[download]").first.get_attribute("download") or "").endswith(".png")
    await turn.locator(".gallery button").first.click()
    shown = page.page.locator("#lightbox > img")
    first = await shown.get_attribute("src")
    await page.page.keyboard.press("ArrowRight")
    assert await shown.get_attribute("src") != first
    await page.page.keyboard.press("Escape")
    await page.page.reload()
    await page.page.locator(".gallery img").nth(1).wait_for()


async def test_a_picture_in_a_chat_is_shown_from_the_service(page: PlaygroundPage):
    turn = await page.ask("draw a hill")
    await page.ended(turn)
    image = turn.locator(".markdown img")
    await image.evaluate("(image) => image.decode()")
    assert (await image.get_attribute("src") or "").startswith(await page.evaluate("location.origin") + "/api/files/")


async def test_a_picture_that_cannot_be_had_is_named(page: PlaygroundPage):
    turn = await page.ask("See ![a lost one](http://127.0.0.1:1/lost.png)")  # the demo quotes what it has heard
    await turn.locator(".markdown .picture-coming").wait_for()
    await page.page.click("#send")
    await page.ended(turn, "stopped")
    assert await turn.locator(".picture-coming").count() == 0
    assert await turn.locator(".markdown .note").text_content() == "a lost one"


async def test_an_uploaded_picture_goes_with_the_question(page: PlaygroundPage):
    await page.page.set_input_files("#file", {"name": "p.png", "mimeType": "image/png", "buffer": PNG})
    await page.page.locator(".attachment:not(.uploading)").wait_for()
    turn = await page.ask("what is this?")
    assert "I received 1 picture" in await page.ended(turn)
    image = turn.locator(".question img")
    assert await image.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 64
    assert not await page.page.locator("#attachments").is_visible()
    await page.page.reload()
    await page.page.locator(".question img").wait_for()


async def test_a_picture_can_be_pasted_and_dropped_and_other_files_are_refused(page: PlaygroundPage):
    await page.evaluate(
        """async () => {
          const canvas = document.createElement('canvas');
          const blob = await new Promise((resolve) => canvas.toBlob(resolve));
          const carry = (...files) => {
            const data = new DataTransfer();
            files.forEach((file) => data.items.add(file));
            return data;
          };
          const picture = new File([blob], 'a.png', { type: 'image/png' });
          const text = new File(['x'], 'a.txt', { type: 'text/plain' });
          document.getElementById('prompt').dispatchEvent(
            new ClipboardEvent('paste', { clipboardData: carry(picture), bubbles: true }));
          document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: carry(picture, text), bubbles: true }));
        }"""
    )
    await page.page.locator(".toast", has_text="Only PNG").wait_for()
    await page.page.locator(".attachment:not(.uploading)").nth(1).wait_for()
    await page.page.locator(".attachment [aria-label=Remove]").first.click()
    assert await page.page.locator(".attachment").count() == 1
