from __future__ import annotations

import json
from typing import Any

import pytest

from service.models import Piece, Usage
from service.upstream.pieces import StreamReader
from tests.fakes.upstream import chunk, completion_body, event

STOP = chunk({}, finish_reason="stop")
DONE = b"data: [DONE]\n\n"


def read(*reads: bytes) -> tuple[list[Piece], StreamReader]:
    reader = StreamReader()
    pieces = []
    for data in reads:
        if not reader.done:
            pieces.append(reader.feed(data))
    pieces.append(reader.end())
    return [piece for piece in pieces if piece], reader


def reply(*reads: bytes) -> str:
    pieces, reader = read(*reads)
    assert reader.failure is None
    return "".join(piece.reply for piece in pieces)


def reason(*reads: bytes) -> str:
    _, reader = read(*reads)
    assert reader.failure is not None
    return reader.failure.reason


def test_the_pieces_of_one_read_are_joined() -> None:
    pieces, _ = read(chunk("a") + chunk("b"), chunk("c") + STOP + DONE)
    assert pieces == [Piece(reply="ab", model="fake-1"), Piece(reply="c", finish_reason="stop")]


def test_any_split_gives_the_same_reply() -> None:
    stream = b"\xef\xbb\xbf" + (chunk("你好 👩‍👩‍👧") + b": ping\n\n" + chunk("é\n") + STOP + DONE).replace(
        b"\n", b"\r\n"
    )
    for at in range(len(stream)):
        assert reply(stream[:at], stream[at:]) == "你好 👩‍👩‍👧é\n"
    assert reply(*(stream[at : at + 1] for at in range(len(stream)))) == "你好 👩‍👩‍👧é\n"


def test_a_character_split_between_two_deltas_is_joined_again() -> None:
    first, second = (
        rb'data: {"choices":[{"delta":{"content":"%s"}}]}' % half + b"\n\n" for half in (rb"a\ud83d", rb"\ude00b")
    )
    assert reply(first, second, STOP) == "a😀b"
    assert reply(first + second + STOP) == "a😀b"


def test_half_a_character_that_is_never_completed_is_replaced() -> None:
    half = rb'data: {"choices":[{"delta":{"content":"a\ud83d"}}]}' + b"\n\n"
    assert reply(half, chunk("b"), STOP) == "a\ufffdb"
    assert reply(half, STOP + DONE) == "a\ufffd"


def test_reasoning_is_kept_apart_and_joined_on_its_own() -> None:
    pieces, _ = read(chunk({"reasoning_content": "h"}) + chunk({"reasoning": "m"}) + chunk("4"), STOP)
    assert (pieces[0].reasoning, pieces[0].reply) == ("hm", "4")


def test_usage_counts_wherever_it_comes_and_the_last_one_wins() -> None:
    early = event({"choices": [{"delta": {"content": "a"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
    late = event({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 9}})
    empty = event({"choices": [], "usage": {}}) + event({"choices": [], "usage": None})
    pieces, _ = read(early + late + empty + STOP)
    assert pieces[0].usage == Usage(1, 9)


def test_chunks_without_a_choice_say_nothing() -> None:
    silent: list[Any] = [{"id": "x"}, {"choices": []}, {"choices": None}, {"choices": [], "prompt_filter_results": []}]
    pieces, _ = read(*map(event, silent), chunk("a"), STOP)
    assert [piece.reply for piece in pieces] == ["a", ""]


def test_other_choices_and_a_relays_own_signs_of_life_are_passed_over() -> None:
    assert reply(chunk("no", index=1), b"data: ping\n\n", b"data:\n\n", b"data: 7\n\n", chunk("a"), STOP) == "a"


def test_events_that_are_not_parted_by_blank_lines_are_read() -> None:
    assert reply((chunk("a") + chunk("b") + STOP + DONE).replace(b"\n\n", b"\n")) == "ab"


def test_a_chunk_over_several_data_lines_is_one_chunk() -> None:
    document = json.dumps({"choices": [{"delta": {"content": "a"}}]}, indent=1)
    assert reply(b"".join(b"data: " + line.encode() + b"\n" for line in document.splitlines()) + b"\n", STOP) == "a"


def test_pictures_come_with_their_piece() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    pieces, _ = read(chunk({"images": [image]}), chunk({"content": [image, {"type": "text", "text": "x"}]}), STOP)
    assert [piece.images for piece in pieces[:2]] == [("data:image/png;base64,AAAA",)] * 2
    assert pieces[1].reply == "x"


def test_an_end_is_an_end_with_either_sign_of_it() -> None:
    assert reply(chunk("a"), STOP) == "a"
    assert reply(chunk("a"), DONE) == "a"
    assert reply(chunk("a"), STOP.rstrip()) == "a"


@pytest.mark.parametrize("tail", [b"", b'data: {"choices":[{"del', b": ping\n\n"])
def test_a_stream_without_an_end_is_a_cut_one(tail: bytes) -> None:
    pieces, reader = read(chunk("a"), tail)
    assert "".join(piece.reply for piece in pieces) == "a"
    assert reader.failure is not None


def test_an_empty_body_is_a_cut_stream() -> None:
    assert reason() == "the stream was cut"
    assert reason(b"\n\n") == "the stream was cut"


def test_nothing_after_the_end_can_spoil_an_answer() -> None:
    assert reply(chunk("a") + STOP + b'data: {"usage":{"prom') == "a"
    assert reply(chunk("a") + STOP + DONE + event({"error": "late"})) == "a"
    assert reply(chunk("a") + STOP + event({"error": "late"})) == "a"


@pytest.mark.parametrize(
    "failure",
    [
        {"error": {"message": "no"}},
        {"error": "no"},
        {"code": "InvalidParameter", "message": "no"},
        {"choices": [{"delta": {"content": ""}, "finish_reason": "error"}]},
    ],
)
def test_an_error_inside_the_stream_fails_it_after_what_came_before(failure: Any) -> None:
    pieces, reader = read(chunk("a") + event(failure) + chunk("b"))
    assert [piece.reply for piece in pieces] == ["a"]
    assert reader.failure is not None
    assert b"no" in reader.failure.body or reader.failure.reason == "finish_reason is error"


def test_a_garbled_chunk_fails_the_stream() -> None:
    assert reason(chunk("a"), b"data: {garbled}\n\n", chunk("b"), STOP) == "not JSON"


def test_a_whole_completion_in_place_of_a_stream_is_one_piece() -> None:
    body = json.dumps(completion_body("whole", reasoning="hm")).encode()
    pieces, reader = read(b"\n \n", body[:50], body[50:])
    assert pieces == [
        Piece(reply="whole", reasoning="hm", finish_reason="stop", model="fake-1", usage=Usage(5, 7)),
    ]
    assert reader.failure is None


@pytest.mark.parametrize(
    "body", [b"<html><title>502</title>", b'{"error":{"message":"no"}}', b'{"choices":[{"mess', b"[]"]
)
def test_a_body_that_is_neither_stream_nor_answer_fails(body: bytes) -> None:
    pieces, reader = read(body)
    assert pieces == []
    assert reader.failure is not None
    assert reader.failure.body == body


def test_a_line_of_700_kb_comes_whole() -> None:
    line = chunk("x" * 700_000)
    assert len(reply(*(line[at : at + 5000] for at in range(0, len(line), 5000)), STOP)) == 700_000


def test_an_event_above_the_bound_fails_the_stream_after_what_came_before() -> None:
    reads = [chunk("a"), b'data: {"'] + [b"x" * (1 << 20)] * 9
    pieces, reader = read(*reads)
    assert [piece.reply for piece in pieces] == ["a"]
    assert reader.failure is not None
    assert reader.failure.reason == "an event is too long"


def test_an_answer_above_the_bound_fails() -> None:
    assert reason(*([b"{" + b" " * (1 << 20)] * 33)) == "the answer is too large"
