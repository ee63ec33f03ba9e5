"""However a stream is cut and resumed, its pieces joined are the reply: random cuts, random splits, random pacing.

Each seed is one story, so that a failure can be told again.
"""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.fakes.upstream import Answer, FakeUpstream, chunk
from tests.web.conftest import Api
from tests.web.event_reader import Event, joined, parse

ALPHABET = [
    "a",
    "b ",
    "\n",
    '"',
    "\\",
    "你",
    "好",
    "é",
    "e\u0301",
    "👩‍👩‍👧",
    "🇨🇳",
    "\u200b",
    "؟",
    "𝄞",
    "data: x",
    "\r\n",
]


class Story:
    """What the upstream says, and when: gates that are opened one by one."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.reasoning = self._text(40)
        self.reply = self._text(400)
        self.gates: list[asyncio.Event] = []

    def answer(self) -> Answer:
        """A stream whose bytes are split anywhere, within lines and characters too."""
        data = b"".join(
            [
                *(chunk({"reasoning_content": piece}) for piece in self._pieces(self.reasoning)),
                *(chunk(piece) for piece in self._pieces(self.reply)),
                chunk({}, finish_reason="stop"),
                b"data: [DONE]\n\n",
            ]
        )
        steps: list[bytes | asyncio.Event] = []
        while data:
            cut = self.random.randint(1, 600)
            steps.append(data[:cut])
            data = data[cut:]
            if self.random.random() < 0.3:
                self.gates.append(asyncio.Event())
                steps.append(self.gates[-1])
        return Answer.events(*steps)

    def open_some(self) -> None:
        for gate in [gate for gate in self.gates if not gate.is_set()][: self.random.randint(1, 3)]:
            gate.set()

    def _text(self, most: int) -> str:
        return "".join(self.random.choices(ALPHABET, k=self.random.randint(1, most)))

    def _pieces(self, text: str) -> list[str]:
        pieces = []
        while text:
            cut = self.random.randint(1, 12)
            pieces.append(text[:cut])
            text = text[cut:]
        return pieces


class Reader:
    """A client whose connection breaks after random numbers of bytes; it knows only what came in whole events."""

    def __init__(self, api: Api, story: Story, key: str) -> None:
        self.api = api
        self.story = story
        self.key = key
        self.events: list[Event] = []

    async def read_all(self) -> None:
        while not (self.events and self.events[-1].name == "done"):
            await self._read_until_cut()
            assert not self.events or self.events[-1].name != "error", self.events[-1]

    async def _read_until_cut(self) -> None:
        left = self.story.random.choice([300, 1500, 4000, 1_000_000])
        rest = b""
        async with self._open() as response:
            assert response.status == 200, await response.text()
            while left > 0 and (data := await self._next(response, left)):
                left -= len(data)
                *blocks, rest = (rest + data).split(b"\n\n")
                self.events += [parse(block) for block in blocks if not block.startswith(b":")]
            response.close()

    async def _next(self, response, left: int) -> bytes:  # type: ignore[no-untyped-def]
        try:
            async with asyncio.timeout(0.02):
                return await response.content.read(left)
        except TimeoutError:
            self.story.open_some()  # nothing comes any more: the upstream waits for its gate
            return await response.content.read(left)

    def _open(self):  # type: ignore[no-untyped-def]
        last = next((event for event in reversed(self.events) if event.id), None)
        if not self.events or (last is None and self.story.random.random() < 0.5):
            self.events.clear()
            return self.api.open_stream("tell", headers={"Idempotency-Key": self.key})
        path = f"/api/turns/{self.events[0].data['turn_id']}?stream=true"
        if last is None:
            return self.api.client.get(path)
        if self.story.random.random() < 0.5:
            return self.api.client.get(path, headers={"Last-Event-ID": last.id})
        return self.api.client.get(f"{path}&after={last.id}")


@pytest.mark.parametrize("seed", range(12))
async def test_joined_pieces_are_the_reply_however_the_stream_was_cut(api: Api, upstream: FakeUpstream, seed: int):
    story = Story(seed)
    upstream.answer_with(story.answer())
    readers = [Reader(api, story, f"key-{seed}") for _ in range(3)]
    async with asyncio.timeout(20):
        await asyncio.gather(*(reader.read_all() for reader in readers))
    for reader in readers:
        assert joined(reader.events) == story.reply
        assert joined(reader.events, "reasoning") == story.reasoning
        assert reader.events[-1].data["reply"] == story.reply
    assert len(upstream.calls) == 1
    (item,) = await api.history()
    assert item["reply"] == story.reply
