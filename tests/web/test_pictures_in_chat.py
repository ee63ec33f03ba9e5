"""Pictures in chat: those that users send, and those that the model draws."""

from __future__ import annotations

import base64
import io
from typing import Any
from urllib.parse import urlsplit

from aiohttp import FormData

from tests.fakes.pictures import png_chunk, png_header
from tests.fakes.upstream import PNG, Answer, FakeUpstream
from tests.web.conftest import Api, Start
from tests.web.event_reader import joined

DATA_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


async def upload(api: Api, data: bytes = PNG, openid: str | None = "ann", **options: Any) -> tuple[int, Any]:
    form = FormData()
    if openid is not None:
        form.add_field("openid", openid)
    form.add_field("file", io.BytesIO(data), filename="cat.png", content_type="application/octet-stream")
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


async def test_the_owner_may_be_told_behind_the_file(api: Api, upstream: FakeUpstream):
    form = FormData()
    form.add_field("file", PNG, filename="cat.png")
    form.add_field("openid", "ann")
    async with api.client.post("/api/files", data=form) as response:
        assert response.status == 200, await response.text()
    assert (await api.data("/api/user/ann/erase", {}))["deleted"] == 1


async def test_so_many_pictures_are_refused_with_the_place_of_the_first_too_many(api: Api, upstream: FakeUpstream):
    parts = [{"type": "image_url", "image_url": {"url": DATA_URL}}] * 21
    status, envelope = await api.post("/api/chat", {"openid": "ann", "messages": [{"role": "user", "content": parts}]})
    assert (status, envelope["data"]["field"]) == (400, "messages[0].content[20].image_url.url")
    await api.data("/api/chat", {"openid": "ann", "messages": [{"role": "user", "content": parts[1:]}]})
    assert len(upstream.calls[0].json["messages"][0]["content"]) == 20


async def test_a_link_is_not_a_way_to_send_the_upstream_more_than_it_can_take(api: Api):
    large = png_header(9, 9) + png_chunk(b"IDAT", bytes(7 << 20)) + png_chunk(b"IEND", b"")
    _, envelope = await upload(api, large)
    parts = [{"type": "image_url", "image_url": {"url": envelope["data"]["url"]}}] * 5
    status, envelope = await api.post("/api/chat", {"openid": "ann", "messages": [{"role": "user", "content": parts}]})
    assert (status, envelope["data"]["type"]) == (413, "body_too_large")


async def test_a_link_that_has_expired_is_told_as_that_with_its_place(api: Api):
    _, envelope = await upload(api)
    api.clock.ahead_ms = 3 * 86_400_000
    parts = [{"type": "image_url", "image_url": {"url": envelope["data"]["url"]}}]
    status, envelope = await api.post("/api/chat", {"openid": "ann", "messages": [{"role": "user", "content": parts}]})
    assert (status, envelope["data"]["type"]) == (404, "file_not_found")
    assert envelope["data"]["field"] == "messages[0].content[0].image_url.url"


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


async def test_a_picture_that_the_reply_holds_whole_is_a_link_in_its_end(api: Api, upstream: FakeUpstream):
    words = f"Here: ![cat]({DATA_URL})!"
    upstream.answer_with(Answer.stream(words[:40], words[40:]))
    events = await api.stream("draw a cat")
    done = events[-1].data
    assert joined(events) == words
    assert done["images"] == [DATA_URL]
    assert done["reply"] == f"Here: ![cat]({done['download_links'][0]})!"
    (item,) = await api.history()
    assert item["reply"] == done["reply"]


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


async def test_the_next_question_may_be_about_an_earlier_picture(api: Api, upstream: FakeUpstream):
    first = await ask_with(api, DATA_URL)
    await api.chat("and on the left?", conversation_id=first["conversation_id"])
    assert upstream.calls[1].json["messages"][0]["content"][1]["image_url"]["url"] == DATA_URL


async def test_a_drawn_picture_does_not_crowd_the_context(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.completion(f"![cat]({DATA_URL}) " + "data:image/png;base64," + "A" * 80_000))
    first = await api.chat("draw")
    await api.chat("again", conversation_id=first["conversation_id"])
    told = [message["content"] for message in upstream.calls[1].json["messages"]]
    assert told == ["draw", "![cat]([image]) [image]", "again"]
