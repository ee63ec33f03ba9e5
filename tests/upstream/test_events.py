from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from service.upstream.events import EventDecoder

STREAM = (
    'data: {"text":"你好 👩‍👩‍👧"}\n\n: a comment\nevent: delta\nid: 7\ndata:tight\n\ndata: 2\ndata: lines\n\n'.encode()
)
EVENTS = ['{"text":"你好 👩‍👩‍👧"}'.encode(), b"tight", b"2\nlines"]


def decode(*chunks: bytes) -> list[bytes]:
    decoder = EventDecoder()
    return [data for chunk in chunks for data in decoder.feed(chunk)] + decoder.finish()


@pytest.mark.parametrize("ending", [b"\n", b"\r", b"\r\n"])
def test_every_line_ending_may_be_split_at_every_byte(ending: bytes) -> None:
    stream = STREAM.replace(b"\n", ending)
    for at in range(len(stream)):
        assert decode(stream[:at], stream[at:]) == EVENTS
    assert decode(*(stream[at : at + 1] for at in range(len(stream)))) == EVENTS


@given(some.lists(some.integers(0, len(STREAM)), max_size=12), some.sampled_from([b"\n", b"\r", b"\r\n"]))
def test_splits_never_change_what_is_read(cuts: list[int], ending: bytes) -> None:
    stream = STREAM.replace(b"\n", ending)
    places = [0, *sorted(cuts), len(stream)]
    assert decode(*(stream[a:b] for a, b in pairwise(places) if a < b)) == EVENTS


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert decode(b"\xef\xbb", b"\xbfdata: one\n\n") == [b"one"]


def test_only_one_space_is_taken_from_the_data() -> None:
    assert decode(b"data:  two spaces\n\n") == [b" two spaces"]


def test_an_event_is_given_as_soon_as_its_blank_line_has_come() -> None:
    decoder = EventDecoder()
    assert decoder.feed(b"data: one\n") == []
    assert decoder.feed(b"\ndata: t") == [b"one"]


def test_a_lone_carriage_return_ends_a_line_at_once() -> None:
    decoder = EventDecoder()
    assert decoder.feed(b"data: one\r\r") == [b"one"]
    assert decoder.feed(b"\ndata: two\r\n\r\n") == [b"two"]


def test_a_last_event_without_its_blank_line_is_given_at_the_end() -> None:
    decoder = EventDecoder()
    assert decoder.feed(b"data: one\n\ndata: [DONE]") == [b"one"]
    assert decoder.finish() == [b"[DONE]"]


def test_comments_and_other_fields_are_no_data() -> None:
    assert decode(b": ping\n\nevent: x\nid: 3\nretry: 10\n\n") == []


def test_a_line_of_700_kb_in_small_reads_comes_whole() -> None:
    line = b"data: " + b"x" * 700_000 + b"\n\n"
    assert decode(*(line[at : at + 1400] for at in range(0, len(line), 1400))) == [b"x" * 700_000]


def test_an_endless_line_is_given_up_at_the_bound() -> None:
    decoder = EventDecoder(limit_bytes=1000)
    overflown = []
    for data in (b"data: before\n\ndata: " + b"x" * 900, b"x" * 100):
        decoder.feed(data)
        overflown.append(decoder.overflown)
    assert overflown == [False, True]
    assert decoder.feed(b"data: after\n\n") == []


def test_an_endless_row_of_data_lines_is_given_up_at_the_bound() -> None:
    decoder = EventDecoder(limit_bytes=1000)
    for _ in range(11):
        decoder.feed(b"data: " + b"x" * 100 + b"\n")
    assert decoder.overflown


def test_a_carriage_return_ends_a_line_in_the_middle_of_a_read() -> None:
    assert EventDecoder().feed(b"data: a\rdata: b\n\n") == [b"a\nb"]


def test_a_byte_order_mark_is_one_at_the_start_only() -> None:
    events = EventDecoder()
    assert events.feed(b"data: a\n\n") == [b"a"]
    assert events.feed(b"\xef\xbb\xbfdata: b\n\n") == []
