"""POST /api/image: both of the upstream's ways, several at once, parts, failures."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from tests.fakes.pictures import SVG, png_chunk, png_header
from tests.fakes.upstream import PNG, Answer, FakeUpstream
from tests.web.conftest import Api, Start
from tests.web.test_files import fetch

DATA_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
DRAWN = {"b64_json": base64.b64encode(PNG).decode()}


async def draw(api: Api, **more: Any) -> Any:
    return await api.data("/api/image", {"prompt": "a cat", "openid": "ann", **more})


async def test_the_seeds_request_gives_pictures(api: Api, upstream: FakeUpstream):
    data = await api.data("/api/image", {"prompt": "a cat", "n": 2, "size": "512x512"})
    assert data["images"] == [DATA_URL, DATA_URL]
    assert data["status"] == "completed"
    asked = upstream.calls[0].json
    assert (asked["prompt"], asked["n"], asked["size"]) == ("a cat", 2, "512x512")
    assert "model" not in asked


async def test_a_remote_picture_is_fetched_and_stored(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.json({"data": [{"url": f"{upstream.origin}/picture.png"}]}))
    data = await draw(api)
    assert data["images"] == [DATA_URL]
    assert upstream.origin not in str(data)


async def test_a_strange_private_address_is_never_fetched(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.json({"data": [{"url": "http://127.0.0.1:1/picture.png"}]}))
    status, envelope = await api.post("/api/image", {"prompt": "a cat"})
    assert (status, envelope["data"]["type"]) == (500, "picture_unavailable")


async def test_what_one_call_does_not_give_is_asked_for_side_by_side(api: Api, upstream: FakeUpstream):
    upstream.answer_with(*[Answer.json({"data": [DRAWN]})] * 3)
    data = await draw(api, n=3)
    assert len(data["images"]) == 3
    assert [call.json["n"] for call in upstream.calls] == [3, 1, 1]
    assert "notice" not in data


async def test_a_model_that_draws_one_at_a_time_still_gives_all(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.error(400, "n must be 1"), *[Answer.json({"data": [DRAWN]})] * 2)
    assert len((await draw(api, n=2))["images"]) == 2


async def test_a_part_of_the_pictures_is_a_success_that_is_told(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.json({"data": [DRAWN]}), Answer.error(400, "no"))
    data = await draw(api, n=2)
    assert len(data["images"]) == 1
    assert data["notice"]


async def test_not_ready_in_time_gives_the_id_to_poll(api: Api, upstream: FakeUpstream):
    gate = asyncio.Event()
    upstream.answer_with(Answer.json({"data": [DRAWN]}).held(gate))
    data = await draw(api, **{"async": True})
    assert (data["images"], data["status"], data["taskId"]) == ([], "running", data["turn_id"])
    gate.set()
    done = await api.data(f"/api/turns/{data['taskId']}?wait=5")
    assert (done["status"], done["images"]) == ("completed", [DATA_URL])


async def test_an_image_turn_is_stopped_and_refunded(start: Start, upstream: FakeUpstream):
    api = await start(DAILY_IMAGES="2")
    upstream.answer_with(Answer.stall())
    data = await draw(api, n=2, **{"async": True})
    await upstream.called()
    assert (await api.data(f"/api/turns/{data['turn_id']}/stop", {}))["status"] == "stopped"
    await upstream.hung_up()
    assert len((await draw(api, n=2))["images"]) == 2
    status, envelope = await api.post("/api/image", {"prompt": "more", "openid": "ann"})
    assert (status, envelope["data"]["type"]) == (429, "quota_exceeded")


async def test_the_same_key_draws_once(api: Api, upstream: FakeUpstream):
    first, second = await draw(api, client_id="k"), await draw(api, client_id="k")
    assert first == second
    assert len(upstream.calls) == 1


async def test_pictures_are_in_the_history(api: Api):
    await draw(api)
    (item,) = await api.history()
    assert (item["kind"], item["reply"]) == ("image", "")
    assert item["messages"] == [{"role": "user", "content": "a cat"}]
    assert (await fetch(api, item["images"][0]))[1] == PNG


async def test_by_chat_the_links_in_the_reply_are_the_pictures(start: Start, upstream: FakeUpstream):
    api = await start(OPENAI_IMAGE_API="chat")
    upstream.answer_with(Answer.completion(f"> 进度 100%\n\n![cat]({upstream.origin}/picture.png)"))
    assert (await draw(api))["images"] == [DATA_URL]
    assert upstream.calls[0].json["model"] == "gpt-4o-all"


async def test_by_chat_a_reply_without_a_picture_is_an_error(start: Start, upstream: FakeUpstream):
    api = await start(OPENAI_IMAGE_API="chat")
    upstream.answer_with(Answer.completion("I cannot draw that."))
    status, envelope = await api.post("/api/image", {"prompt": "a cat"})
    assert (status, envelope["data"]["type"]) == (500, "no_picture")


async def test_reference_pictures_go_to_edits_as_files(api: Api, upstream: FakeUpstream):
    await draw(api, images=[DATA_URL])
    call = upstream.calls[0]
    assert call.path.endswith("/images/edits")
    assert PNG in call.body


@pytest.mark.parametrize("url", ["data:image/png;base64,AAAA", "data:image/svg+xml;base64,PHN2Zz4=", "ftp://x/y.png"])
async def test_a_reference_that_is_no_picture_names_its_place(api: Api, url: str):
    status, envelope = await api.post("/api/image", {"prompt": "x", "images": [DATA_URL, url]})
    assert (status, envelope["data"]["field"]) == (400, "images[1]")


async def test_a_reference_larger_than_pictures_may_be_is_told_with_its_place(api: Api):
    bomb = png_header(50_000, 50_000) + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b"")
    body = {"prompt": "x", "images": [DATA_URL, f"data:image/png;base64,{base64.b64encode(bomb).decode()}"]}
    status, envelope = await api.post("/api/image", body)
    assert (status, envelope["data"]["type"], envelope["data"]["field"]) == (413, "too_many_pixels", "images[1]")


@pytest.mark.parametrize("way", ["images", "chat"])
async def test_a_picture_that_cannot_be_had_does_not_spoil_the_others(start: Start, upstream: FakeUpstream, way: str):
    api = await start(OPENAI_IMAGE_API=way)
    links = [f"{upstream.origin}/{name}.png" for name in ("gone", "picture")]
    drawn = {
        "images": Answer.json({"data": [{"url": link} for link in links]}),
        "chat": Answer.completion(" ".join(f"![a cat]({link})" for link in links)),
    }
    upstream.answer_with(drawn[way], Answer.error(404), Answer.raw(PNG), Answer.error(400, "no more"))
    data = await draw(api, n=2)
    assert (data["images"], data["status"]) == ([DATA_URL], "completed")
    assert data["notice"]


@pytest.mark.parametrize(
    "picture",
    [PNG[:40], b"", SVG, png_header(50_000, 50_000) + png_chunk(b"IEND", b"")],
    ids=["cut off", "empty", "a program", "a bomb"],
)
@pytest.mark.parametrize("inline", [True, False])
async def test_what_the_upstream_draws_and_is_no_picture_is_its_failure_and_not_the_clients(
    start: Start, upstream: FakeUpstream, picture: bytes, inline: bool
):
    api = await start(OPENAI_IMAGE_API="chat")
    link = f"data:image/png;base64,{base64.b64encode(picture).decode()}=" if inline else f"{upstream.origin}/p.png"
    upstream.answer_with(Answer.completion(f"![a cat]({link})"), Answer.raw(picture))
    status, envelope = await api.post("/api/image", {"prompt": "a cat"})
    assert (status, envelope["code"], envelope["data"]["type"]) == (500, 500, "picture_unavailable")
    assert "field" not in envelope["data"]


async def test_an_image_turn_is_told_as_a_stream_too(api: Api, upstream: FakeUpstream):
    gate = asyncio.Event()
    upstream.answer_with(Answer.json({"data": [DRAWN]}).held(gate))
    data = await draw(api, **{"async": True})
    reading = asyncio.create_task(api.resume(data["turn_id"]))
    await upstream.called()
    gate.set()
    events = await reading
    assert [event.name for event in events] == ["start", "done"]
    assert (events[1].data["images"], events[1].data["status"]) == ([DATA_URL], "completed")
    assert [event.data for event in await api.resume(data["turn_id"])] == [event.data for event in events]
