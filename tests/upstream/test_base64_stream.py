from __future__ import annotations

import base64
import json
import tracemalloc
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.upstream.base64_stream import Base64Decoder, BlobScanner, Edge, decode_data_url


def split(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


def scan(pieces: Iterable[bytes], **options: int) -> tuple[list[bytes], object]:
    scanner = BlobScanner(**options)
    blobs: list[bytes] = []
    is_open = False
    for piece in pieces:
        for event in scanner.feed(piece):
            if event is Edge.START:
                assert not is_open
                blobs.append(b"")
            elif isinstance(event, bytes):
                assert event
                blobs[-1] += event
            is_open = event is not Edge.END
    assert not is_open
    return blobs, json.loads(scanner.rest())


def decode(pieces: Iterable[bytes]) -> bytes:
    decoder = Base64Decoder()
    return b"".join([*(decoder.feed(piece) for piece in pieces), decoder.finish()])


cuts = st.lists(st.integers(0, 1 << 16), max_size=12)


@given(st.binary(max_size=300), cuts, st.booleans(), st.booleans())
def test_base64_in_any_pieces_is_the_same(data: bytes, at: list[int], url_safe: bool, padded: bool) -> None:
    text = base64.urlsafe_b64encode(data) if url_safe else base64.b64encode(data)
    assert decode(split(text if padded else text.rstrip(b"="), at)) == data


@given(st.binary(max_size=300), cuts)
def test_line_breaks_in_base64_do_not_matter(data: bytes, at: list[int]) -> None:
    assert decode(split(base64.encodebytes(data).replace(b"\n", b"\r\n"), at)) == data


@pytest.mark.parametrize("text", ["Q", "QUJDR", "QQ==QQ==", "QQ=A", "Q=Q=", "Q*U*J*D*", "=", "é"])
@pytest.mark.parametrize("size", [1, 4, 99])
def test_broken_base64_is_an_error(text: str, size: int) -> None:
    data = text.encode()
    with pytest.raises(ValueError, match=r".+"):
        decode(data[at : at + size] for at in range(0, len(data), size))


@pytest.mark.parametrize("head", ["data:image/png;base64,", "DATA:image/svg+xml;charset=utf-8;BASE64,"])
def test_a_data_url_is_decoded_in_slices(head: str) -> None:
    data = bytes(range(256)) * 4000
    slices = list(decode_data_url(head + base64.b64encode(data).decode()))
    assert b"".join(slices) == data
    assert max(map(len, slices)) < 256 << 10


@pytest.mark.parametrize(
    "url",
    ["", "https://example.com/a.png", "data:text/html;base64,QQ==", "data:image/png,QQ==", "data:image/png;base64,图"],
)
def test_what_is_no_data_url_of_a_picture_is_an_error(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        list(decode_data_url(url))


texts = st.text(max_size=20) | st.sampled_from(
    ['"', "\\", '\\"', "b64_json", '"b64_json":"', "blob:0", "data:image/", "{"]
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts.filter(lambda key: key != "b64_json"), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(plain, cuts, st.booleans())
def test_json_without_pictures_passes_unchanged(document: object, at: list[int], ascii_only: bool) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only)
    assert scan(split(text.encode(), at)) == ([], document)


written = st.sampled_from(
    [
        lambda text: f'"b64_json": "{text}"',
        lambda text: '"b64_json":"{}"'.format(text.replace("/", "\\/")),  # PHP
        lambda text: '"b64_json" :\n "{}"'.format(text.replace("+", "\\u002B")),  # .NET
        lambda text: '"b64_json":"{}"'.format(text[:4] + "\\r\\n" + text[4:]),
        lambda text: f'"b64_json":"data:image/png;base64,{text}"',
        lambda text: f'"url":"data:image/webp;base64,{text}"',
        lambda text: '"url":"data:image\\/png;base64,{}"'.format(text.replace("/", "\\/")),
        lambda text: f'"prompt":"\\"b64_json\\":","b64_json":"{text}"',
    ]
)


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=200), written), max_size=4), plain, cuts)
def test_pictures_in_any_pieces_come_out_whole_and_in_order(
    drawn: list[tuple[bytes, Callable[[str], str]]], around: object, at: list[int]
) -> None:
    items = ["{" + write(base64.b64encode(data).decode()) + "}" for data, write in drawn]
    text = f'{{"around":{json.dumps(around)},"data":[{",".join(items)}]}}'
    blobs, rest = scan(split(text.encode(), at))
    assert blobs == [data for data, _ in drawn]
    assert isinstance(rest, dict)
    assert rest["around"] == around
    markers = [value for item in rest["data"] for value in item.values() if value.startswith("blob:")]
    assert markers == [f"blob:{place}" for place in range(len(drawn))]


SPLIT = rb"""{"a\"b":"c\\","u":"\u732b","b64_json_note":"ABCDEFGH","data":[{"b64_json":"%s+/8\u002B\/w==\n"},
{"url" : "data:image\/png;base64,QUJDREU"},{"url":"data:image/png"},{"b64_json": ""}]}""" % (b"QUJD" * 50)


def test_every_place_to_split_an_answer_gives_the_same() -> None:
    blobs = [b"ABC" * 50 + base64.b64decode(b"+/8+/w=="), b"ABCDE"]
    data = [{"b64_json": "blob:0"}, {"url": "blob:1"}, {"url": "data:image/png"}, {"b64_json": ""}]
    expected = (blobs, {'a"b': "c\\", "u": "猫", "b64_json_note": "ABCDEFGH", "data": data})
    assert scan([SPLIT]) == expected
    assert scan(SPLIT[place : place + 1] for place in range(len(SPLIT))) == expected
    for place in range(len(SPLIT)):
        assert scan([SPLIT[:place], SPLIT[place:]]) == expected


def test_an_empty_picture_is_none() -> None:
    assert scan([b'{"b64_json":"","url":"https://example.com/a.png"}']) == (
        [],
        {"b64_json": "", "url": "https://example.com/a.png"},
    )


def test_a_null_picture_is_none() -> None:
    assert scan([b'{"b64_json":null}']) == ([], {"b64_json": None})


def test_a_cut_answer_is_no_json() -> None:
    scanner = BlobScanner()
    scanner.feed(b'{"data":[{"b64_json":"QUJDREVGRw')
    with pytest.raises(ValueError, match="Unterminated"):
        json.loads(scanner.rest())


@pytest.mark.parametrize(
    "text", ['{"b64_json":"QU*D"}', '{"b64_json":"QUJ\\u12"}', '{"b64_json":"QU\\\\D"}', '{"b64_json":"Q"}']
)
def test_a_broken_picture_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        scan([text.encode()])


def test_json_without_end_around_pictures_is_an_error() -> None:
    with pytest.raises(ValueError, match="too much"):
        scan((b'{"a":"' + b"x" * 900 for _ in range(100)), rest_limit_bytes=10_000)


def test_a_large_picture_is_never_whole_in_memory() -> None:
    scanner, piece = BlobScanner(), base64.b64encode(b"\xff" * (48 << 10))
    scanner.feed(b'{"data":[{"b64_json":"')
    tracemalloc.start()
    received_bytes = 0
    for _ in range(160):  # 10 MB of base64
        received_bytes += sum(len(event) for event in scanner.feed(piece) if isinstance(event, bytes))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert received_bytes > 7 << 20
    assert peak_bytes < 1 << 20
