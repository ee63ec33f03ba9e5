"""Pictures in chat: those that users send, and those that the model draws."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlsplit

from aiohttp import FormData

from tests.fakes.upstream import PNG, Answer, FakeUpstream
from tests.web.conftest import Api, Start

DATA_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


async def upload(api: Api, data: bytes = PNG, openid: str | None = "ann", **options: Any) -> tuple[int, Any]:
    form = FormData()
    if openid is not None:
        form.add_field("openid", openid)
    form.add_field("file", data, filename="cat.png", content_type="application/octet-stream")
    async with api.client.post("/api/files", data=form, **options) as response:
        return response.status, await response.json()


async def ask_with(api: Api, url: str) -> Any:
    parts = [{"type": "text", "text": "what is this"}, {"type": "image_url", "image_url": {"url": url}}]
    return await api.data("/api/chat", {"openid": "ann", "messages": [{"role": "user", "content": parts}]})


async def test_an_upload_gives_a_link_that_can_be_asked_about(api: Api, upstream: FakeUpstream):
    _, envelope = await upload(api)
    assert envelope["data"]["mime"] == "image/png"
    await ask_with(api, envelope["data"]["url"])
    assert upstream.calls[0].json["messages"][0]["content"][1]["image_url"]["url"] == DATA_URL


async def test_what_is_no_picture_is_not_kept(api: Api):
    for data in (b"", b"<svg onload=alert(1)>", PNG[:20], b"GIF89a"):
        status, envelope = await upload(api, data)
        assert (status, envelope["data"]["type"]) == (415, "unsupported_picture")


async def test_an_upload_larger_than_a_body_may_be_is_refused(start: Start):
    api = await start(MAX_BODY_BYTES="2000")
    status, envelope = await upload(api, PNG + b"\0" * 5000)
    assert (status, envelope["data"]["type"]) == (413, "body_too_large")


async def test_an_upload_has_an_owner_and_a_file(api: Api):
    status, envelope = await upload(api, openid=None)
    assert (status, envelope["data"]["field"]) == (400, "openid")
    async with api.client.post("/api/files", data=FormData({"openid": "ann"}, default_to_multipart=True)) as response:
        assert (response.status, (await response.json())["data"]["field"]) == (400, "file")
    status, envelope = await api.post("/api/files", {"file": "x"})
    assert status == 415


async def test_inline_pictures_are_stored_once_and_shown_as_links(api: Api, upstream: FakeUpstream):
    await ask_with(api, DATA_URL)
    assert upstream.calls[0].json["messages"][0]["content"][1]["image_url"]["url"] == DATA_URL
    (item,) = await api.history()
    link = urlsplit(item["messages"][0]["content"][1]["image_url"]["url"])
    async with api.client.get(f"{link.path}?{link.query}") as response:
        assert await response.read() == PNG


async def test_a_text_that_looks_like_a_stored_file_stays_a_text(api: Api):
    name = f"file:{'0' * 40}.png"
    for text in (name, f'"url":"{name}"'):
        await api.chat(text)
    assert [item["messages"][0]["content"] for item in await api.history()] == [name, f'"url":"{name}"']


async def test_a_picture_that_the_model_draws_in_chat_is_kept_and_its_link_works(api: Api, upstream: FakeUpstream):
    source = f"{upstream.origin}/picture.png"
    upstream.answer_with(Answer.completion(f"Here:\n\n![cat]({source})\n\n[下载]({source})"))
    data = await api.chat("draw a cat")
    assert data["images"] == [DATA_URL]
    assert source not in data["reply"]
    assert data["reply"].count(data["download_links"][0]) == 2
    (item,) = await api.history()
    assert item["images"] == data["download_links"]


async def test_a_picture_beside_the_text_is_kept_too(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.completion("Here.", images=[{"type": "image_url", "image_url": {"url": DATA_URL}}]))
    data = await api.chat("draw a cat")
    assert (data["reply"], data["images"]) == ("Here.", [DATA_URL])


async def test_a_picture_that_cannot_be_fetched_stays_a_link(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.completion("![cat](http://127.0.0.1:1/cat.png)"))
    data = await api.chat("draw a cat")
    assert data["reply"] == "![cat](http://127.0.0.1:1/cat.png)"
    assert data["images"] == ["http://127.0.0.1:1/cat.png"]


async def test_drawn_pictures_bear_the_label_where_that_is_set(start: Start):
    api = await start(AIGC_PRODUCER="the maker")
    data = await api.data("/api/image", {"prompt": "a cat"})
    drawn = base64.b64decode(data["images"][0].partition(",")[2])
    assert b"tEXtAIGC" in drawn
    assert b'"ContentProducer":"the maker"' in drawn
