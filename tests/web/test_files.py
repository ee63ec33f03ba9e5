"""The files behind pictures: their links, how they are shown, what is swept."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import FormData

from service.web.keys import DATABASE
from tests.fakes.pictures import png, png_chunk, png_header
from tests.fakes.upstream import PNG, Answer, FakeUpstream
from tests.web.conftest import Api, Start

DATA_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


async def draw(api: Api, **more: Any) -> Any:
    return await api.data("/api/image", {"prompt": "a cat", "openid": "ann", **more})


async def upload(api: Api, picture: bytes) -> Any:
    form = FormData({"openid": "ann"})
    form.add_field("file", picture, filename="a.png")
    async with api.client.post("/api/files", data=form) as response:
        return (await response.json())["data"]


async def fetch(api: Api, link: str, **options: Any) -> tuple[int, bytes, Any]:
    parts = urlsplit(link)
    async with api.client.get(f"{parts.path}?{parts.query}", **options) as response:
        return response.status, await response.read(), response.headers


async def test_links_give_the_stored_file_with_safe_headers(api: Api):
    (link,) = (await draw(api))["download_links"]
    status, body, headers = await fetch(api, link)
    assert (status, body, headers["Content-Type"]) == (200, PNG, "image/png")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "max-age" in headers["Cache-Control"]
    status, body, _ = await fetch(api, link, headers={"Range": "bytes=1-3"})
    assert (status, body) == (206, b"PNG")
    status, _, _ = await fetch(api, link, headers={"If-None-Match": headers["ETag"]})
    assert status == 304


async def test_a_link_that_was_changed_or_has_expired_is_a_404(api: Api):
    (link,) = (await draw(api))["download_links"]
    name = urlsplit(link).path.rpartition("/")[2]
    for forged in (
        link.replace("signature=", "signature=0")[:-1],
        link.replace("expires=1", "expires=2"),
        link.replace(name, "0" * 40 + ".png"),
    ):
        assert (await fetch(api, forged))[0] == 404
    api.clock.ahead_ms = 3 * 86_400_000
    assert (await fetch(api, link))[0] == 404


@pytest.mark.parametrize("name", ["..%2f..%2fservice.db", "%2e%2e", "a.png", "x" * 300, "%00.png"])
async def test_no_path_leads_out_of_the_folder(api: Api, name: str):
    async with api.client.get(f"/api/files/{name}?expires=9999999999&signature={'0' * 32}") as response:
        assert response.status == 404


async def test_with_a_public_url_pictures_are_links_on_it(start: Start):
    api = await start(PUBLIC_URL="https://api.example.com")
    data = await draw(api)
    assert data["images"] == data["download_links"]
    assert data["images"][0].startswith("https://api.example.com/api/files/")
    assert (await draw(api, response_format="b64"))["images"] == [DATA_URL]


async def test_without_one_links_are_given_when_asked_for(api: Api):
    data = await draw(api, response_format="url")
    assert data["images"] == data["download_links"]


async def test_a_host_that_is_none_gets_links_without_an_origin(api: Api):
    link = (await upload(api, PNG))["url"]
    parts = [{"type": "image_url", "image_url": {"url": link}}]
    await api.data("/api/chat", {"openid": "ann", "messages": [{"role": "user", "content": parts}]})
    for host in ('a"b', "a\\", "a b", "a)b", "a/b"):
        (item,) = (await api.data("/api/history/ann", headers={"Host": host}))["history"]
        url = item["messages"][0]["content"][0]["image_url"]["url"]
        assert url == link[link.index("/api/files/") :]


async def test_more_than_an_answer_can_hold_is_shown_as_links(api: Api, upstream: FakeUpstream):
    large = [png_header(9, 9) + png_chunk(b"IDAT", bytes([n]) * (9 << 20)) + png_chunk(b"IEND", b"") for n in range(2)]
    upstream.answer_with(Answer.json({"data": [{"b64_json": base64.b64encode(one).decode()} for one in large]}))
    data = await draw(api, n=2, response_format="b64")
    assert data["images"][0] == f"data:image/png;base64,{base64.b64encode(large[0]).decode()}"
    assert data["images"][1] == data["download_links"][1]


async def test_no_row_is_left_of_a_file_that_had_to_go(start: Start, tmp_path: Path):
    api = await start(FILES_MAX_BYTES="1048576")
    database = api.client.server.app[DATABASE]  # type: ignore[union-attr]
    for seed in range(6):
        api.clock.ahead_ms += 1000
        await upload(api, png(300, 300, seed=seed))
    rows = {name for (name,) in await database.read("SELECT name FROM files")}
    assert rows == {path.name for path in (tmp_path / "data" / "files").iterdir()}
    assert len(rows) == 3


async def test_a_picture_that_was_swept_leaves_its_turn_readable(start: Start, tmp_path: Path):
    api = await start()
    link = (await upload(api, png(seed=1)))["url"]
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": link}}]
    asked = await api.data("/api/chat", {"openid": "ann", "messages": [{"role": "user", "content": parts}]})
    drawn = await draw(api, response_format="b64")
    for path in (tmp_path / "data" / "files").iterdir():
        path.unlink()
    assert (await fetch(api, drawn["download_links"][0]))[0] == 404
    again = await api.data(f"/api/turns/{drawn['turn_id']}")
    assert again["images"] == again["download_links"]
    assert [item["status"] for item in await api.history()] == ["completed"] * 2
    assert (await api.chat("and?", conversation_id=asked["conversation_id"]))["reply"] == "and?"
