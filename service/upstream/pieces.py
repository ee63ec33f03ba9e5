"""A streamed answer as it arrives: bytes in, one Piece for each read out.

Pure: it refuses to know where the bytes come from and how long to wait for them. What the body starts with decides
how it is read, not its Content-Type: relays label events as JSON and answer a stream request with a whole completion.
"""

from __future__ import annotations

import re

from service.models import Piece, Usage
from service.upstream.answers import clean, read_completion, read_finish_reason, read_message, read_name, read_usage
from service.upstream.events import EventDecoder
from service.upstream.wire import LARGEST_ANSWER_BYTES, Unusable, only_choice, read_answer

_BLANKS = b"\xef\xbb\xbf \t\r\n"
_WORDS_OF_FAILURE = re.compile(rb'"(message|msg|detail|error_?msg|error_?message)"\s*:\s*"[^"]', re.IGNORECASE)


class StreamReader:
    """One streamed answer.

    `begun`: something has come. `finished`: a finish_reason has come. `done`: nothing more is to be read.
    `failure`: why what comes is no answer; what came before it has been given.
    """

    __slots__ = (
        "_decoder",
        "_finish_reason",
        "_held_reasoning",
        "_held_reply",
        "_images",
        "_model",
        "_new_model",
        "_opening",
        "_received_bytes",
        "_replies",
        "_thoughts",
        "_usage",
        "done",
        "failure",
        "finished",
    )

    def __init__(self) -> None:
        self.finished = False
        self.done = False
        self.failure: Unusable | None = None
        self._opening = bytearray()
        self._decoder: EventDecoder | None = None
        self._received_bytes = 0
        self._held_reply = self._held_reasoning = ""
        self._model = self._new_model = ""
        self._replies: list[str] = []
        self._thoughts: list[str] = []
        self._images: tuple[str, ...] = ()
        self._finish_reason: str | None = None
        self._usage: Usage | None = None

    @property
    def begun(self) -> bool:
        return self._received_bytes > 0

    def feed(self, data: bytes) -> Piece | None:
        """Take the next bytes, split anywhere; give what they say, if they say anything."""
        self._received_bytes += len(data)
        if self._received_bytes > LARGEST_ANSWER_BYTES:
            self._fail(Unusable("the answer is too large"))
            return None
        if self._decoder is None:
            data = self._open(data)
            if self._decoder is None:
                return None
        self._take(self._decoder.feed(data))
        if self._decoder.overflown:
            self._fail(Unusable("an event is too long"))
        return self._end_piece()

    def end(self) -> Piece | None:
        """Take the end of the body; without an end of the answer it is a cut one."""
        if self.done:
            return None
        if self._decoder is not None:
            self._take(self._decoder.finish())
        elif self._opening:
            return self._read_whole()
        self._fail(Unusable("the stream was cut"))
        return self._end_piece()

    def _open(self, data: bytes) -> bytes:
        """Keep what comes until it shows that it is events; if it does not, it is a whole answer."""
        self._opening += data if self._opening else data.lstrip(_BLANKS)
        if not self._opening or self._opening[0] in b"{[<":
            return b""
        self._decoder = EventDecoder()
        opening, self._opening = bytes(self._opening), bytearray()
        return opening

    def _read_whole(self) -> Piece | None:
        try:
            whole = read_completion(bytes(self._opening))
        except Unusable as unusable:
            self._fail(unusable)
            return None
        self.done = self.finished = True
        return Piece(
            reply=whole.reply,
            reasoning=whole.reasoning,
            finish_reason=whole.finish_reason,
            model=whole.model,
            usage=whole.usage,
            images=whole.images,
        )

    def _fail(self, failure: Unusable) -> None:
        """Read no further. What comes after the end of an answer cannot spoil it any more."""
        if not (self.done or self.finished):
            self.failure = failure
        self.done = True

    def _take(self, payloads: list[bytes]) -> None:
        for payload in payloads:
            if self.done:
                return
            if payload[:1] == b"{":
                self._take_chunk(payload)
            elif payload.strip() == b"[DONE]":
                self.done = True
            # Anything else is a relay's own sign of life (`data: ping`).

    def _take_chunk(self, payload: bytes) -> None:
        try:
            answer = read_answer(payload)
            if answer.usage is not None:
                self._usage = read_usage(answer.usage) or self._usage
            if answer.model and answer.model != self._model:
                self._model = answer.model
                self._new_model = read_name(answer.model)
            choice = only_choice(answer)
            if choice is None:
                if answer.choices is None and answer.usage is None and _WORDS_OF_FAILURE.search(payload):
                    raise Unusable("a failure without an error", payload)
                return
            if choice.finish_reason and (reason := read_finish_reason(choice, payload)):
                self._finish_reason = reason
                self.finished = True
        except Unusable as unusable:
            if b"\n" in payload:  # events that a relay has not parted by blank lines
                self._take(payload.split(b"\n"))
            else:
                self._fail(unusable)
            return
        if (message := choice.delta or choice.message) is not None:
            reply, reasoning, images = read_message(message)
            self._replies.append(reply)
            self._images += images
            if reasoning:
                self._thoughts.append(reasoning)

    def _end_piece(self) -> Piece | None:
        reply = reasoning = ""
        if self._replies or self._held_reply:
            reply, self._held_reply = self._join(self._held_reply, self._replies)
        if self._thoughts or self._held_reasoning:
            reasoning, self._held_reasoning = self._join(self._held_reasoning, self._thoughts)
        finish_reason, usage, images, model = self._finish_reason, self._usage, self._images, self._new_model
        if not (finish_reason or usage or images or model):
            return Piece(reply=reply, reasoning=reasoning) if reply or reasoning else None
        self._finish_reason, self._usage, self._images, self._new_model = None, None, (), ""
        return Piece(
            reply=reply, reasoning=reasoning, finish_reason=finish_reason, model=model, usage=usage, images=images
        )

    def _join(self, held: str, texts: list[str]) -> tuple[str, str]:
        """Join texts; hold back half a character at their end, which the next delta may complete."""
        text = held + "".join(texts)
        texts.clear()
        half = text[-1:]
        if self.done or not "\ud800" <= half <= "\udbff":
            return clean(text), ""
        return clean(text[:-1]), half
