"""Both ways over TLS, and through a proxy from the settings."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from service.errors import UpstreamError
from service.models import ChatAsk
from tests.fakes import raw_upstream
from tests.fakes.proxy import Proxy
from tests.fakes.raw_upstream import RawUpstream, whole
from tests.upstream.conftest import MakeClient, on_both_ways
from tests.upstream.reading import ReplyTo

pytestmark = on_both_ways

CERTIFICATES = Path(raw_upstream.__file__).parent / "tls"  # for localhost and 127.0.0.1, signed by itself
LOGIN = "user:proxy-password-4711@"


@pytest.fixture
def tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATES / "certificate.pem", CERTIFICATES / "key.pem")
    return context


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate is among those that the machine trusts: aiohttp reads them when it is imported."""
    context = ssl.create_default_context(cafile=CERTIFICATES / "certificate.pem")
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", context)


@pytest.mark.usefixtures("trusted")
async def test_tls_connections_are_kept(
    make_client: MakeClient, ask: ChatAsk, reply_to: ReplyTo, tls: ssl.SSLContext
) -> None:
    async with RawUpstream([whole("first")], [whole("second")], tls=tls) as upstream:
        client = await make_client(openai_base_url=upstream.base_url)
        assert [await reply_to(client, ask) for _ in range(2)] == ["first", "second"]
        assert upstream.asked == [1, 1]
        assert client.in_use == 0


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    make_client: MakeClient, ask: ChatAsk, reply_to: ReplyTo, tls: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    async with RawUpstream(tls=tls) as upstream:
        client = await make_client(openai_base_url=upstream.base_url)
        with pytest.raises(UpstreamError) as caught:
            await reply_to(client, ask)
        assert (caught.value.type, caught.value.details) == ("upstream_unavailable", {"retryable": True})
        assert upstream.asked == []
        assert client.in_use == 0
    assert "CERTIFICATE_VERIFY_FAILED" in caplog.text
    assert "127.0.0.1" not in caplog.text


async def test_a_proxy_is_given_whole_addresses_and_its_login(
    make_client: MakeClient, ask: ChatAsk, reply_to: ReplyTo
) -> None:
    async with RawUpstream() as upstream, Proxy() as proxy:
        client = await make_client(openai_base_url=upstream.base_url, upstream_proxy=proxy.url(LOGIN))
        assert [await reply_to(client, ask) for _ in range(2)] == ["hello", "hello"]
        async with client.request("GET", "/models"):
            pass
        assert proxy.asked == [f"POST {upstream.base_url}/chat/completions HTTP/1.1"]  # one connection, relayed on
        assert [head.split(b" ")[0] for head in upstream.heads] == [b"POST", b"POST", b"GET"]
        assert proxy.logins == ["user:proxy-password-4711"]


@pytest.mark.usefixtures("trusted")
async def test_tls_goes_through_a_tunnel_that_never_sees_the_key(
    make_client: MakeClient, ask: ChatAsk, reply_to: ReplyTo, tls: ssl.SSLContext
) -> None:
    async with RawUpstream(tls=tls) as upstream, Proxy() as proxy:
        client = await make_client(openai_base_url=upstream.base_url, upstream_proxy=proxy.url(LOGIN))
        assert [await reply_to(client, ask) for _ in range(2)] == ["hello", "hello"]
        assert proxy.asked == [f"CONNECT 127.0.0.1:{upstream.port} HTTP/1.1"]
        assert proxy.logins == ["user:proxy-password-4711"]
        assert all(b"Proxy-Authorization" not in head for head in upstream.heads)
        assert upstream.asked == [1, 1]


@pytest.mark.usefixtures("trusted")
async def test_a_proxy_that_refuses_is_tried_again_and_its_password_no_word_of_the_log(
    make_client: MakeClient, ask: ChatAsk, reply_to: ReplyTo, tls: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    async with RawUpstream(tls=tls) as upstream, Proxy(refuses=True) as proxy:
        client = await make_client(openai_base_url=upstream.base_url, upstream_proxy=proxy.url(LOGIN))
        with pytest.raises(UpstreamError) as caught:
            await reply_to(client, ask)
        assert (caught.value.type, caught.value.details) == ("upstream_unavailable", {"retryable": True})
        assert upstream.asked == []
        assert client.in_use == 0
    assert "proxy-password" not in caplog.text
    assert "127.0.0.1" not in caplog.text
