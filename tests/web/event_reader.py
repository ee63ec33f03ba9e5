"""Reading our event streams as a careful client does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from aiohttp import ClientResponse


class Event(NamedTuple):
    name: str
    data: dict[str, Any]
    id: str | None
    envelope: dict[str, Any]


async def read_events(response: ClientResponse) -> AsyncIterator[Event]:
    """Each event as it arrives; comments are passed over."""
    rest = b""
    async for chunk in response.content.iter_any():
        *blocks, rest = (rest + chunk).split(b"\n\n")
        for block in blocks:
            if not block.startswith(b":"):
                yield parse(block)
    assert rest == b""


def parse(block: bytes) -> Event:
    fields = dict(line.split(": ", 1) for line in block.decode("ascii").split("\n"))
    envelope = json.loads(fields["data"])
    return Event(fields["event"], envelope["data"], fields.get("id"), envelope)


def joined(events: list[Event], name: str = "delta") -> str:
    return "".join(event.data[name] for event in events if event.name == name)
