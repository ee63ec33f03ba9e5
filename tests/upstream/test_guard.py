from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from service.upstream.guard import check_url, guarded_socket, is_public
from tests.fakes.upstream import FakeUpstream

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "192.167.0.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2400:3200::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]
REFUSED = [
    "0.0.0.0",  # noqa: S104
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.9",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:0:808:808::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_open_internet_are_allowed(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", REFUSED)
def test_every_other_address_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, ("127.0.0.1", 443)),
        (socket.AF_INET6, ("::1", 443, 0, 0)),
        (socket.AF_UNIX, "/run/docker.sock"),
    ],
)
def test_no_socket_is_made_for_a_refused_address(family: int, address: tuple[str, int]) -> None:
    with pytest.raises(PermissionError):
        guarded_socket((family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address))


def test_a_socket_is_made_for_an_allowed_address() -> None:
    made = guarded_socket((socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("8.8.8.8", 443)))
    with made:
        assert (made.family, made.type) == (socket.AF_INET, socket.SOCK_STREAM)


class Resolver(AbstractResolver):
    """Gives other addresses each time it is asked, as a rebinding name server does."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        found = self.answers.pop(0)
        families = {address: socket.AF_INET6 if ":" in address else socket.AF_INET for address in found}
        return [
            ResolveResult(hostname=host, host=address, port=port, family=families[address], proto=0, flags=0)
            for address in found
        ]

    async def close(self) -> None:
        pass


@pytest.fixture
async def inside() -> AsyncIterator[FakeUpstream]:
    """What must not be reached."""
    async with FakeUpstream() as server:
        yield server
        assert server.calls == []


async def refusal(url: str, resolver: AbstractResolver | None = None) -> OSError:
    connector = aiohttp.TCPConnector(socket_factory=guarded_socket, resolver=resolver, use_dns_cache=False)
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as refused:
            await session.get(url)
    return refused.value.os_error


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "0x7f000001",
        "0x7f.1",
        "localhost",
        "LOCALHOST",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
    ],
)
async def test_loopback_is_refused_however_it_is_written(inside: FakeUpstream, host: str) -> None:
    port = inside.origin.rpartition(":")[2]
    assert isinstance(await refusal(f"http://{host}:{port}/"), PermissionError)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0177.0.0.1", "017700000001", "0", "localhost.", "127.0.0.1."])
async def test_forms_that_some_libraries_refuse_themselves_reach_nothing(inside: FakeUpstream, host: str) -> None:
    port = inside.origin.rpartition(":")[2]
    connector = aiohttp.TCPConnector(socket_factory=guarded_socket)
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"http://{host}:{port}/")


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["::1"], ["127.0.0.1", "::ffff:127.0.0.1", "127.0.0.3"]])
async def test_a_name_that_leads_inside_is_not_followed(inside: FakeUpstream, addresses: list[str]) -> None:
    port = inside.origin.rpartition(":")[2]
    error = await refusal(f"http://pictures.example:{port}/", Resolver(addresses))
    assert isinstance(error, PermissionError)


async def test_a_name_that_is_rebound_between_two_requests_is_not_followed(inside: FakeUpstream) -> None:
    port = inside.origin.rpartition(":")[2]
    resolver = Resolver(["127.0.0.2"], ["127.0.0.1"])
    for _ in range(2):
        assert isinstance(await refusal(f"http://pictures.example:{port}/", resolver), PermissionError)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://example.com/a.png",
        "ftp://example.com/a.png",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "//example.com/a.png",
        "/a.png",
        "https://",
        "https:///a.png",
        "https://user@example.com/a.png",
        "https://user:secret@example.com/a.png",
        "https://example.com@127.0.0.1/a.png",
        "https://example.com\\@127.0.0.1/a.png",
        "https://example.com:99999/a.png",
        "https://example.com:port/a.png",
        "https://[::1/a.png",
        "https://example.com/" + "a" * 5000,
    ],
)
def test_what_is_no_plain_https_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        check_url(url)


def test_a_signed_url_keeps_every_character() -> None:
    signed = "/a%2Fb/c%20d.png?sig=a%2Bb%2Fc%3D&x=1+2&y=%7E~"
    assert check_url("https://example.com" + signed).raw_path_qs == signed


def test_a_url_that_needs_escapes_gets_them() -> None:
    assert check_url("https://例子.example/猫 1.png\r\nX: 1").raw_path_qs == "/%E7%8C%AB%201.pngX:%201"
