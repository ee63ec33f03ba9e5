"""Which addresses may be connected to when somebody else chose the url (SSRF guard).

The socket is the choke point: whatever a url looks like (decimal, octal, rebinding names, mapped forms), a connection
is made to one address, and that address is judged as the socket is created. Names are never judged, nor resolved twice.
What is fetched over the connection is not known here.
"""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from typing import Final

from aiohttp import AddrInfoType
from yarl import URL

_MAX_URL_CHARS: Final = 4096
# Source: RFC 3986, 2: the characters a url may consist of.
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+", re.ASCII)

# Source: IANA IPv4 and IPv6 Special-Purpose Address Registries. Written out, since `is_global` differs between Python
# patch releases and lets multicast, 192.0.0.9 and the cloud's own addresses through.
_REFUSED_V4: Final = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata is 100.100.100.200
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's host agent, on a public address
        "169.254.0.0/16",  # link-local; most clouds' metadata is 169.254.169.254
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
)
_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6: Final = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo, ORCHID, benchmarking
        "2001:db8::/32",
        "2002::/16",  # 6to4 carries an IPv4 address and is no longer in use
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
# RFC 6052: where IPv6-only networks put the IPv4 internet. The IPv4 address inside is what counts.
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an address, as a socket takes it, is one of the open internet."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if inner is None:
            return ip in _GLOBAL_V6 and not any(ip in network for network in _REFUSED_V6)
        ip = inner
    return not any(ip in network for network in _REFUSED_V4)


def guarded_socket(address_info: AddrInfoType) -> socket.socket:
    """The `socket_factory` of a guarded connector: no socket, no connection.

    Raises: PermissionError, always with the same text, for what is not public.
    """
    family, kind, protocol, _, address = address_info
    if family not in (socket.AF_INET, socket.AF_INET6) or not is_public(str(address[0])):
        raise PermissionError(errno.EACCES, "address not allowed")
    return socket.socket(family, kind, protocol)


def check_url(text: str) -> URL:
    """The url, if it may be fetched at all: https, a host, nobody's password, no endless text. Raises: ValueError."""
    if len(text) > _MAX_URL_CHARS:
        raise ValueError("too long")
    url = as_written(text)
    if url.scheme != "https" or not url.host or url.user is not None or url.password is not None:
        raise ValueError("not a plain https url")
    return url


def as_written(text: str) -> URL:
    """The url with its escapes untouched where it needs none added: some hosts sign every character of it.

    Raises: ValueError.
    """
    url = URL(text)
    return URL(text, encoded=True) if _PLAIN.fullmatch(text) else url
