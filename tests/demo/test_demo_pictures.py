"""The pictures of the demo upstream, in chat and on their own."""

from __future__ import annotations

import base64

import aiohttp
import pytest

from tests.demo.demo_client import Demo, message, png_size


@pytest.mark.parametrize("word", ["draw", "画"])
async def test_a_picture_in_chat_is_a_markdown_link_that_works(demo: Demo, word: str) -> None:
    _, document = await demo.ask(f"{word} a](cat)")
    text = message(document)["content"]
    assert f"![{word} a cat](" in text
    url = text.partition("](")[2].partition(")")[0]
    assert url.startswith(demo.base_url)
    assert png_size(await demo.picture(url)) == (1024, 768)


@pytest.mark.parametrize(
    ("size", "expected"),
    [("auto", (1024, 1024)), ("256x256", (256, 256)), ("1792x1024", (1792, 1024)), ("16x17", (16, 17))],
)
async def test_pictures_have_the_size_that_was_asked_for(demo: Demo, size: str, expected: tuple[int, int]) -> None:
    status, document = await demo.post("/images/generations", json={"prompt": "a cat", "size": size})
    assert status == 200
    assert [png_size(base64.b64decode(picture["b64_json"])) for picture in document["data"]] == [expected]


async def test_several_pictures_differ_and_the_same_prompt_draws_the_same(demo: Demo) -> None:
    body = {"prompt": "雪山", "n": 3, "size": "64x64"}
    _, first = await demo.post("/images/generations", json=body)
    _, again = await demo.post("/images/generations", json=body)
    assert first["data"] == again["data"]
    assert len({picture["b64_json"] for picture in first["data"]}) == 3


async def test_picture_urls_lead_to_the_same_pictures(demo: Demo) -> None:
    body = {"prompt": "a cat", "n": 2, "size": "64x48"}
    _, inline = await demo.post("/images/generations", json=body)
    _, linked = await demo.post("/images/generations", json={**body, "response_format": "url"})
    fetched = [await demo.picture(picture["url"]) for picture in linked["data"]]
    assert fetched == [base64.b64decode(picture["b64_json"]) for picture in inline["data"]]


def form(*pictures: bytes, **fields: str) -> aiohttp.FormData:
    data = aiohttp.FormData(fields)
    for picture in pictures:
        data.add_field("image[]", picture, filename="a.png", content_type="image/png")
    return data


async def test_an_edit_depends_on_its_reference_pictures(demo: Demo) -> None:
    _, one = await demo.post("/images/edits", data=form(b"one", prompt="a cat", size="64x64", n="2"))
    _, two = await demo.post("/images/edits", data=form(b"one", b"two", prompt="a cat", size="64x64", n="2"))
    pictures = [picture["b64_json"] for document in (one, two) for picture in document["data"]]
    assert len(set(pictures)) == 4
    assert png_size(base64.b64decode(pictures[0])) == (64, 64)


async def test_an_edit_without_a_picture_is_refused(demo: Demo) -> None:
    status, document = await demo.post("/images/edits", data=form(prompt="a cat"))
    assert status == 400
    assert "image" in document["error"]["message"]
