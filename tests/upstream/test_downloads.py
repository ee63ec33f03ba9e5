from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator

import pytest

from service.errors import TooLarge, Unavailable, UnsupportedMedia, UpstreamError
from service.upstream.downloads import Downloader
from tests.fakes import pictures
from tests.fakes.upstream import PNG, Answer, FakeUpstream
from tests.upstream.test_guard import Resolver

_MAX_BYTES = 100_000


class Received:
    """A sink that keeps what it is given, or refuses it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.data = b""
        self.error = error

    async def __call__(self, chunk: bytes) -> None:
        if self.error:
            raise self.error
        self.data += chunk


@pytest.fixture
async def host() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as server:
        yield server


@pytest.fixture
async def downloader(host: FakeUpstream) -> AsyncIterator[Downloader]:
    downloader = Downloader(max_bytes=_MAX_BYTES, timeout_seconds=5, trusted_origins=frozenset({host.base_url}))
    await downloader.open()
    yield downloader
    await downloader.close()


async def fetch(downloader: Downloader, url: str, *, from_upstream: bool = True) -> bytes:
    received = Received()
    await downloader.fetch(url, received, from_upstream=from_upstream)
    return received.data


async def test_a_picture_arrives_as_it_is(downloader: Downloader, host: FakeUpstream) -> None:
    picture = pictures.png(150, 150)
    host.answer_with(Answer.raw(picture[:7], picture[7:], content_type="text/html"))
    assert await fetch(downloader, host.origin + "/a%2Fb.png?sig=a%2Bb%3D") == picture
    assert host.calls[0].query == {"sig": "a+b="}


async def test_nothing_of_ours_goes_with_the_request(downloader: Downloader, host: FakeUpstream) -> None:
    host.answer_with(Answer((PNG,), headers={"Set-Cookie": "a=b"}), Answer((PNG,)))
    for _ in range(2):
        await fetch(downloader, host.origin + "/a.png")
    assert host.calls[1].method == "GET"
    assert host.calls[1].headers.keys() <= {"Host", "Accept", "Accept-Encoding", "User-Agent"}
    assert host.calls[1].headers["Accept-Encoding"] == "identity"


async def test_a_compressed_body_is_not_unpacked(downloader: Downloader, host: FakeUpstream) -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    host.answer_with(Answer((bomb,), headers={"Content-Encoding": "gzip"}))
    assert await fetch(downloader, host.origin + "/a.png") == bomb


async def test_a_redirect_is_not_followed(downloader: Downloader, host: FakeUpstream) -> None:
    host.answer_with(Answer(status=302, headers={"Location": host.origin + "/picture.png"}))
    with pytest.raises(UpstreamError) as failed:
        await fetch(downloader, host.origin + "/a.png")
    assert (failed.value.type, failed.value.details["retryable"]) == ("picture_unavailable", False)
    assert len(host.calls) == 1


@pytest.mark.parametrize(("status", "retryable"), [(404, False), (403, False), (204, False), (429, True), (503, True)])
async def test_another_status_than_200_is_no_picture(
    downloader: Downloader, host: FakeUpstream, status: int, retryable: bool
) -> None:
    host.answer_with(Answer(status=status))
    with pytest.raises(UpstreamError) as failed:
        await fetch(downloader, host.origin + "/a.png")
    assert (failed.value.type, failed.value.details["retryable"]) == ("picture_unavailable", retryable)


async def test_a_body_that_announces_too_much_is_not_read(downloader: Downloader, host: FakeUpstream) -> None:
    host.answer_with(Answer((b"x",), length=_MAX_BYTES + 1))
    with pytest.raises(UpstreamError, match="picture_unavailable"):
        await fetch(downloader, host.origin + "/a.png")


async def test_a_body_without_end_is_given_up_at_the_limit(downloader: Downloader, host: FakeUpstream) -> None:
    host.answer_with(Answer((*[b"x" * 30_000] * 4, asyncio.Event())))
    received = Received()
    with pytest.raises(UpstreamError, match="picture_unavailable"):
        await downloader.fetch(host.origin + "/a.png", received, from_upstream=True)
    assert len(received.data) <= _MAX_BYTES
    await host.hung_up()


async def test_a_body_that_stalls_is_given_up_in_time(host: FakeUpstream) -> None:
    downloader = Downloader(max_bytes=100, timeout_seconds=0.05, trusted_origins=frozenset({host.base_url}))
    await downloader.open()
    host.answer_with(Answer((b"x", asyncio.Event())))
    with pytest.raises(UpstreamError) as failed:
        await fetch(downloader, host.origin + "/a.png")
    assert (failed.value.type, failed.value.details["retryable"]) == ("upstream_timeout", True)
    await downloader.close()


async def test_a_cut_body_is_an_error_worth_a_retry(downloader: Downloader, host: FakeUpstream) -> None:
    host.answer_with(Answer((PNG,)).cut_after(20))
    with pytest.raises(UpstreamError) as failed:
        await fetch(downloader, host.origin + "/a.png")
    assert (failed.value.type, failed.value.details["retryable"]) == ("picture_unavailable", True)


@pytest.mark.parametrize("error", [UnsupportedMedia("unsupported_picture"), TooLarge("body_too_large", limit_bytes=1)])
async def test_what_the_sink_refuses_is_the_far_ends_fault(
    downloader: Downloader, host: FakeUpstream, error: Exception
) -> None:
    with pytest.raises(UpstreamError) as failed:
        await downloader.fetch(host.origin + "/picture.png", Received(error), from_upstream=True)
    assert (failed.value.type, failed.value.details["retryable"]) == ("picture_unavailable", False)


async def test_a_full_disk_stays_what_it_is(downloader: Downloader, host: FakeUpstream) -> None:
    with pytest.raises(Unavailable):
        await downloader.fetch(
            host.origin + "/picture.png", Received(Unavailable("store_unavailable")), from_upstream=True
        )


async def test_a_user_cannot_reach_the_upstreams_host(downloader: Downloader, host: FakeUpstream) -> None:
    port = host.origin.rpartition(":")[2]
    for url in (host.origin, f"https://127.0.0.1:{port}/", f"https://2130706433:{port}/"):
        with pytest.raises(UpstreamError) as failed:
            await fetch(downloader, url, from_upstream=False)
        assert (failed.value.type, failed.value.details["retryable"]) == ("picture_unavailable", False)
    assert host.calls == []


async def test_the_upstream_cannot_name_another_host_inside(downloader: Downloader, host: FakeUpstream) -> None:
    async with FakeUpstream() as other:
        for url in (other.origin + "/picture.png", other.origin.replace("http", "https") + "/picture.png"):
            with pytest.raises(UpstreamError, match="picture_unavailable"):
                await fetch(downloader, url)
        assert other.calls == []


async def test_a_name_that_leads_inside_is_refused_for_good(host: FakeUpstream) -> None:
    downloader = Downloader(max_bytes=100, timeout_seconds=5, resolver=Resolver(["127.0.0.1", "127.0.0.2"]))
    await downloader.open()
    with pytest.raises(UpstreamError) as failed:
        await fetch(downloader, "https://pictures.example:" + host.origin.rpartition(":")[2])
    assert failed.value.details["retryable"] is False
    assert host.calls == []
    await downloader.close()


async def test_a_url_is_never_told_to_the_log(
    downloader: Downloader, host: FakeUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    host.answer_with(Answer(status=404))
    for url in (host.origin + "/planted/a.png?sig=planted", "https://127.0.0.1/planted?planted", "http://planted/"):
        with pytest.raises(UpstreamError) as failed:
            await fetch(downloader, url)
        assert "planted" not in repr(failed.value)
        assert failed.value.__suppress_context__ or failed.value.__context__ is None
    assert "127.0.0.1" in caplog.text
    assert "planted" not in caplog.text
