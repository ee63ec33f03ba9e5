"""The kinds of value a setting can have: each parses one text or raises ValueError saying what is allowed."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SECONDS_PER = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_BYTES_PER = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Rate(NamedTuple):
    """So many events in so many seconds; a limit of 0 is none."""

    limit: int
    seconds: int


def text(raw: str) -> str:
    return raw


def choice(*allowed: str) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        if raw.lower() not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return raw.lower()

    return parse


def whole(low: int, high: int) -> Callable[[str], int]:
    def parse(raw: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", raw, re.ASCII) or not low <= int(raw) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(raw)

    return parse


def seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(raw: str) -> float:
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", raw, re.ASCII) or not low <= float(raw) <= high:
            raise ValueError(f"a number of seconds from {low:g} to {high:g}")
        return float(raw)

    return parse


def size(low: int) -> Callable[[str], int]:
    """Bytes: `8388608`, `8M` or `8 MiB`."""

    def parse(raw: str) -> int:
        found = re.fullmatch(r"([0-9]{1,15}) ?([KMG]?)(?:i?B)?", raw, re.ASCII | re.IGNORECASE)
        value = int(found[1]) * _BYTES_PER[found[2].upper()] if found else -1
        if value < low:
            raise ValueError(f"a number of bytes, at least {low}, such as 8388608 or 8 MiB")
        return value

    return parse


def switch(raw: str) -> bool:
    if raw.lower() not in ("on", "off"):
        raise ValueError("on or off")
    return raw.lower() == "on"


def names(raw: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in raw.split(",") if name.strip())


def origins(raw: str) -> tuple[str, ...]:
    """Browsers send an origin in small letters."""
    found = tuple(name.lower() for name in names(raw))
    if not all(origin == "*" or _is_origin(origin) for origin in found):
        raise ValueError("* or a comma list of origins such as https://app.example.com, without a path")
    return found


def networks(raw: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(name) for name in names(raw))
    except ValueError:
        raise ValueError("a comma list of addresses or networks such as 127.0.0.1,10.0.0.0/8") from None


def rate(raw: str) -> Rate:
    if raw == "0":
        return Rate(0, 1)
    count, _, unit = raw.partition("/")
    if not re.fullmatch(r"[0-9]{1,9}", count, re.ASCII) or unit not in _SECONDS_PER:
        raise ValueError("0 or a rate such as 60/minute (second, minute, hour, day)")
    return Rate(int(count), _SECONDS_PER[unit])


def secrets(raw: str) -> tuple[str, ...]:
    """One secret, or two while changing over: the first signs, both are accepted (RFC 7518, 3.2: 32 bytes)."""
    found = names(raw)
    if len(found) > 2 or any(len(secret.encode()) < 32 for secret in found):
        raise ValueError("one secret, or new,old while changing over, each of at least 32 characters")
    return found


def http_url(raw: str) -> str:
    parts = _split(raw)
    if raw and (parts is None or parts.query or parts.fragment):
        raise ValueError("an http:// or https:// address without a query")
    return raw.rstrip("/")


def base_url(raw: str) -> str:
    """An OpenAI-compatible base URL as people paste it, brought to the form that `/chat/completions` is put behind.

    A path with a version (`/v1`, `/v4`, `/compatible-mode/v1`) stays, any other gets `/v1`. A whole endpoint that
    was pasted says exactly where it is: only the endpoint is cut off.
    """
    url = http_url(raw)
    if "@" in urlsplit(url).netloc:
        raise ValueError("an address without a name and a password: what the upstream asks for is OPENAI_API_KEY")
    base = re.sub(r"/+(chat/completions|completions|images/generations|models)$", "", url)
    if base != url or re.search(r"/v\d+[a-z0-9]*(/|$)", urlsplit(url).path, re.IGNORECASE):
        return base
    return url + "/v1"


def database_url(raw: str) -> str:
    # Every connection to :memory: would be a database of its own.
    if not re.fullmatch(r"sqlite:////?[^/?#][^?#]*(?<!/)(?<!:memory:)", raw):
        raise ValueError("sqlite:///relative/path.db or sqlite:////absolute/path.db")
    return raw


def _is_origin(text: str) -> bool:
    parts = _split(text)
    return parts is not None and text == f"{parts.scheme}://{parts.netloc}" and "@" not in text


def _split(text: str) -> SplitResult | None:
    """The parts of an http address; None where it is none."""
    try:
        parts = urlsplit(text)
        sane = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not re.search(r"\s", text)
    except ValueError:
        return None
    return parts if sane else None
