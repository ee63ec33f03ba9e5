"""Where a request comes from: the peer, or what trusted proxies say of it."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Sequence

from aiohttp import web

from service.setting_kinds import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_SITE_BITS = 64  # RFC 6177: what one customer has at least; within it addresses cost nothing


def client_address(request: web.Request, trusted: Sequence[Network]) -> str:
    """The nearest address in X-Forwarded-For that is no trusted proxy; the peer itself where that is none.

    What stands further left was written by whoever sent the request.
    """
    peer = request.remote or ""
    if not trusted or not is_among(peer, trusted):
        return peer
    for hop in reversed(",".join(request.headers.getall("X-Forwarded-For", [])).split(",")):
        if parse_address(hop.strip()) is None:
            break
        if not is_among(hop.strip(), trusted):
            return hop.strip()
    return peer


@functools.lru_cache(maxsize=4096)
def site_of(text: str) -> str:
    """What limits are counted by: an IPv4 address itself, of an IPv6 address the network of its site."""
    address = parse_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((address, _SITE_BITS), strict=False))
    return text if address is None else str(address)


def is_proxied(request: web.Request) -> bool:
    """Whether a gateway says that it hands on somebody else's request."""
    return any(name.lower().startswith(("forwarded", "x-forwarded-", "x-real-ip")) for name in request.headers)


def is_among(text: str, networks: Sequence[Network]) -> bool:
    address = parse_address(text)
    return address is not None and any(address in network for network in networks)


@functools.lru_cache(maxsize=4096)
def parse_address(text: str) -> Address | None:
    """An address without its zone, IPv4 where it is mapped into IPv6."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
