from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.errors import BadRequest, TooLarge, Unavailable, UnsupportedMedia, UpstreamError
from service.models import ImageAsk
from service.settings import Settings
from service.upstream.images import RemotePicture, draw
from service.upstream.session import UpstreamSession
from tests.fakes.upstream import PNG, Answer, FakeUpstream

ASK = ImageAsk(prompt="一只猫", user="u-1", n=2, size="512x512")
PNG64 = base64.b64encode(PNG).decode()
LINK = "https://files.example/a.png"


class Kept:
    """A place for pictures in memory: only PNG of up to 100 kB is fit to be kept."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.left = 0

    def new_file(self) -> Writing:
        return Writing(self)


class Writing:
    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.data = b""

    async def __aenter__(self) -> Writing:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.kept.left += 1

    async def write(self, data: bytes) -> None:
        self.data += data
        if self.kept.error:
            raise self.kept.error
        if not self.data.startswith(PNG[:4]):
            raise UnsupportedMedia("unsupported_picture")
        if len(self.data) > 100_000:
            raise TooLarge("body_too_large", limit_bytes=100_000)

    async def finish(self) -> bytes:
        return self.data


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as server:
        yield server


@pytest.fixture(params=["direct", "session"])
async def client(upstream: FakeUpstream, request: pytest.FixtureRequest) -> AsyncIterator[UpstreamSession]:
    settings = Settings(
        openai_base_url=upstream.base_url,
        openai_api_key="sk-test",
        idle_timeout_seconds=0.2,
        upstream_transport=request.param,
    )
    session = UpstreamSession(settings)
    await session.open()
    yield session
    await session.close()


async def drawn(client: UpstreamSession, ask: ImageAsk = ASK) -> list[bytes | RemotePicture]:
    return await draw(client, ask, Kept().new_file)


def answer(*items: Any, **fields: Any) -> Answer:
    return Answer.json({"created": 1, "data": list(items), **fields})


async def test_a_prompt_is_asked_for_as_json(client: UpstreamSession, upstream: FakeUpstream) -> None:
    assert await drawn(client) == [PNG, PNG]
    call = upstream.calls[0]
    assert (call.method, call.path) == ("POST", "/v1/images/generations")
    assert call.json == {"prompt": "一只猫", "n": 2, "size": "512x512", "user": "u-1"}


async def test_a_model_is_named_only_when_one_is_set(client: UpstreamSession, upstream: FakeUpstream) -> None:
    await drawn(client, ImageAsk(prompt="x", user="u", model="gpt-image-1"))
    assert upstream.calls[0].json["model"] == "gpt-image-1"


@pytest.mark.parametrize("count", [1, 3])
async def test_reference_pictures_go_as_files_of_a_form(
    client: UpstreamSession, upstream: FakeUpstream, count: int
) -> None:
    pictures = [PNG + bytes([place]) for place in range(count)]
    references = tuple("data:image/png;base64," + base64.b64encode(picture).decode() for picture in pictures)
    await drawn(client, ImageAsk(prompt="一只猫", user="u-1", references=references))
    call = upstream.calls[0]
    assert call.path == "/v1/images/edits"
    assert call.headers["Content-Type"].startswith("multipart/form-data")
    parts = call.body.split(b"\r\n--")
    files = [part.partition(b"\r\n\r\n")[2] for part in parts if b"filename=" in part]
    names = {re.search(rb'; name="([^"]+)"; filename', part)[1] for part in parts if b"filename=" in part}  # type: ignore[index]
    assert files == pictures
    assert names == {b"image" if count == 1 else b"image[]"}
    assert sum(part.endswith("一只猫".encode()) for part in parts) == 1


async def test_a_form_is_made_anew_for_a_retry(client: UpstreamSession, upstream: FakeUpstream) -> None:
    async def at_once(seconds: float) -> None:
        pass

    client.sleep = at_once
    upstream.answer_with(Answer.error(503))
    await drawn(client, ImageAsk(prompt="x", user="u", references=("data:image/png;base64," + PNG64,)))
    assert [PNG in call.body for call in upstream.calls] == [True, True]


async def test_linked_reference_pictures_go_as_json(client: UpstreamSession, upstream: FakeUpstream) -> None:
    data_url = "data:image/png;base64," + PNG64
    await drawn(client, ImageAsk(prompt="x", user="u", references=(LINK, data_url)))
    assert upstream.calls[0].path == "/v1/images/edits"
    assert upstream.calls[0].json["images"] == [{"image_url": LINK}, {"image_url": data_url}]


async def test_a_broken_reference_picture_is_the_users_fault(client: UpstreamSession, upstream: FakeUpstream) -> None:
    with pytest.raises(BadRequest) as refused:
        await drawn(client, ImageAsk(prompt="x", user="u", references=("data:image/png;base64,QU*D",)))
    assert refused.value.details["field"] == "images[0]"
    assert upstream.calls == []


ANSWERS = {
    "b64_json": (answer({"b64_json": PNG64}), [PNG]),
    "url": (answer({"url": LINK, "revised_prompt": "a cat"}), [RemotePicture(LINK)]),
    "a data url as url": (answer({"url": "data:image/png;base64," + PNG64}), [PNG]),
    "a data url as b64_json": (answer({"b64_json": "data:image/png;base64," + PNG64}), [PNG]),
    "both, one empty": (answer({"b64_json": "", "url": LINK}), [RemotePicture(LINK)]),
    "both, one null": (answer({"b64_json": None, "url": LINK}), [RemotePicture(LINK)]),
    "both": (answer({"url": LINK, "b64_json": PNG64}), [PNG]),
    "a mixture": (
        answer({"url": LINK}, {"b64_json": PNG64}, {"url": LINK + "2"}),
        [RemotePicture(LINK), PNG, RemotePicture(LINK + "2")],
    ),
    "texts": (answer(LINK, "data:image/png;base64," + PNG64), [RemotePicture(LINK), PNG]),
    "under images": (Answer.json({"images": [{"url": LINK}]}), [RemotePicture(LINK)]),
    "a bare list": (Answer.json([{"url": LINK}]), [RemotePicture(LINK)]),
    "no list": (Answer.json({"data": {"url": LINK}}), [RemotePicture(LINK)]),
    "under another key": (Answer.json({"output": [{"b64_json": PNG64}]}), [PNG]),
    "an empty error": (answer({"url": LINK}, error=None), [RemotePicture(LINK)]),
    "with blank lines before it": (Answer.raw(b"\n\n\n", json.dumps({"data": [{"b64_json": PNG64}]}).encode()), [PNG]),
    "one that is no picture": (answer({"b64_json": "QUJDRA=="}, {"b64_json": PNG64}), [PNG]),
    "one that is too large": (answer({"b64_json": PNG64[:40] + "A" * 400_000}, {"b64_json": PNG64}), [PNG]),
    "one that is no picture, but linked": (answer({"b64_json": "QUJDRA==", "url": LINK}), [RemotePicture(LINK)]),
    "a text like our marker": (answer({"b64_json": PNG64}, {"url": "blob:0"}, {"url": "blob:7"}), [PNG]),
}


@pytest.mark.parametrize(("given", "pictures"), ANSWERS.values(), ids=ANSWERS)
async def test_pictures_are_found_in_whatever_relays_answer(
    client: UpstreamSession, upstream: FakeUpstream, given: Answer, pictures: list[Any]
) -> None:
    upstream.answer_with(given)
    assert await drawn(client) == pictures


FAILURES = {
    "no data": (answer(), "no_picture"),
    "nothing at all": (Answer.json({}), "no_picture"),
    "null": (Answer.json(None), "no_picture"),
    "only text": (answer({"url": "sorry", "revised_prompt": "x"}), "no_picture"),
    "another scheme": (answer({"url": "file:///etc/passwd"}), "no_picture"),
    "none that is a picture": (answer({"b64_json": "QUJDRA=="}), "picture_unavailable"),
    "an error inside a 200": (Answer.json({"error": {"message": "planted", "code": "bad"}}), "upstream_invalid"),
    "a refusal inside a 200": (Answer.json({"error": {"message": "planted", "code": 400}}), "upstream_rejected"),
    "a web page": (Answer.html(), "upstream_invalid"),
    "broken base64": (answer({"b64_json": "planted*"}), "upstream_invalid"),
    "a cut picture": (Answer.raw(b'{"data":[{"b64_json":"' + PNG64[:40].encode()), "upstream_invalid"),
    "a cut connection": (answer({"b64_json": PNG64}).cut_after(60), "upstream_invalid"),
    "brackets": (Answer.raw(b"[" * 200_000), "upstream_invalid"),
    "a text without end": (Answer.raw(b'{"data":"', *[b"x" * 100_000] * 12), "upstream_invalid"),
    "a bad request": (Answer.error(400, "planted"), "upstream_rejected"),
}


@pytest.mark.parametrize(("given", "kind"), FAILURES.values(), ids=FAILURES)
async def test_what_brings_no_picture_is_an_error(
    client: UpstreamSession, upstream: FakeUpstream, given: Answer, kind: str
) -> None:
    upstream.answer_with(given)
    with pytest.raises(UpstreamError) as failed:
        await drawn(client)
    assert failed.value.type == kind
    assert "planted" not in repr(failed.value)
    assert client.in_use == 0


async def test_a_full_disk_is_not_the_upstreams_fault(client: UpstreamSession) -> None:
    with pytest.raises(Unavailable) as failed:
        await draw(client, ASK, Kept(Unavailable("store_unavailable")).new_file)
    assert failed.value.type == "store_unavailable"


async def test_every_file_is_left_when_the_answer_fails(client: UpstreamSession, upstream: FakeUpstream) -> None:
    kept = Kept()
    large = base64.b64encode(PNG + b"\0" * 3000).decode()
    upstream.answer_with(answer({"b64_json": large}, {"b64_json": large}).cut_after(6000))
    with pytest.raises(UpstreamError):
        await draw(client, ASK, kept.new_file)
    assert kept.left == 2
