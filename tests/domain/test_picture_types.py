from __future__ import annotations

import json
import struct
import zlib

import pytest

from service.domain.picture_types import GIF, JPEG, PNG, SNIFF_BYTES, WEBP, aigc_chunk, insert_chunk, measure, sniff
from service.errors import TooLarge, UnsupportedMedia
from tests.fakes import pictures

WHOLE = {
    "png": (pictures.png(3, 5), PNG, (3, 5)),
    "jpeg": (pictures.jpeg(640, 480), JPEG, (640, 480)),
    "jpeg behind 60 KB of exif": (pictures.jpeg(640, 480, exif=b"\xff\xc0" * 30_000), JPEG, (640, 480)),
    "gif": (pictures.gif(7, 9), GIF, (7, 9)),
    "lossy webp": (pictures.WEBP_LOSSY, WEBP, (1, 1)),
    "lossless webp": (pictures.WEBP_LOSSLESS, WEBP, (1, 1)),
    "extended webp": (pictures.webp_extended(300, 200), WEBP, (300, 200)),
}
NO_PICTURES = {
    "svg": pictures.SVG,
    "html": b"<!DOCTYPE html><html>",
    "riff sound": b"RIFF\x24\0\0\0WAVEfmt ",
    "avif": b"\0\0\0\x1cftypavif\0\0\0\0",
    "nothing": b"",
    "half a magic": b"\x89PNG",
}


@pytest.mark.parametrize(("data", "kind", "size"), WHOLE.values(), ids=WHOLE)
def test_the_type_and_size_are_read_from_the_bytes(data: bytes, kind: object, size: object) -> None:
    assert (sniff(data[:SNIFF_BYTES]), measure(data)) == (kind, size)


@pytest.mark.parametrize("data", NO_PICTURES.values(), ids=NO_PICTURES)
def test_what_is_no_picture_has_no_type(data: bytes) -> None:
    assert sniff(data) is None
    with pytest.raises(UnsupportedMedia):
        measure(data)


@pytest.mark.parametrize(("data", "kind", "size"), WHOLE.values(), ids=WHOLE)
def test_a_picture_cut_at_any_place_is_refused(data: bytes, kind: object, size: object) -> None:
    for length in (*range(0, len(data), max(1, len(data) // 200)), len(data) - 1):
        with pytest.raises(UnsupportedMedia):
            measure(data[:length])


@pytest.mark.parametrize(
    "bomb",
    [
        pictures.png_header(100_000, 100_000) + pictures.png_chunk(b"IEND", b""),
        pictures.jpeg(65_000, 65_000),
        pictures.gif(60_000, 60_000),
        pictures.webp_extended(16_384, 16_384),
    ],
    ids=["png", "jpeg", "gif", "webp"],
)
def test_the_header_of_a_decompression_bomb_is_refused(bomb: bytes) -> None:
    with pytest.raises(TooLarge) as refused:
        measure(bomb)
    assert refused.value.type == "too_many_pixels"


@pytest.mark.parametrize("empty", [pictures.png(0, 5), pictures.jpeg(0, 5), pictures.gif(0, 0)])
def test_a_picture_without_pixels_is_refused(empty: bytes) -> None:
    with pytest.raises(UnsupportedMedia):
        measure(empty)


def test_a_polyglot_is_the_picture_that_it_begins_as() -> None:
    assert sniff(pictures.POLYGLOT) == GIF
    assert measure(pictures.POLYGLOT) == (1, 1)


@pytest.mark.parametrize(
    "endless",
    [
        pictures.png_header(1, 1) + pictures.png_chunk(b"abCd", b"") * 400_000 + pictures.png_chunk(b"IEND", b""),
        b"\xff\xd8" + b"\xff\xe1\0\2" * 1_000_000,
        b"\xff\xd8" + b"\xff" * 4_000_000,
    ],
    ids=["png chunks", "jpeg segments", "jpeg fill"],
)
def test_an_endless_header_is_given_up(endless: bytes) -> None:
    with pytest.raises(UnsupportedMedia):
        measure(endless)


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    found, position = [], 8
    while position < len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        kind, body = data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        assert data[position + 8 + length : position + 12 + length] == struct.pack(">I", zlib.crc32(kind + body))
        found.append((kind, body))
        position += 12 + length
    return found


def test_the_label_is_a_sound_text_chunk_with_the_seven_keys() -> None:
    labelled = insert_chunk(pictures.png(3, 5), aigc_chunk(producer="某某公司", produce_id="turn-1"))
    kind, body = chunks_of(labelled)[1]
    keyword, text = body.split(b"\0", 1)
    assert (kind, keyword) == (b"tEXt", b"AIGC")
    assert json.loads(text) == {
        "Label": "1",
        "ContentProducer": "某某公司",
        "ProduceID": "turn-1",
        "ReservedCode1": "",
        "ContentPropagator": "某某公司",
        "PropagateID": "turn-1",
        "ReservedCode2": "",
    }


def test_the_label_changes_nothing_else_of_the_picture() -> None:
    plain = pictures.png(3, 5)
    labelled = insert_chunk(plain, aigc_chunk(producer="us", produce_id="1"))
    assert [chunk for chunk in chunks_of(labelled) if chunk[0] != b"tEXt"] == chunks_of(plain)
    assert measure(labelled) == (3, 5)


@pytest.mark.parametrize("data", [pictures.jpeg(), pictures.gif(), pictures.WEBP_LOSSY])
def test_only_a_png_is_labelled(data: bytes) -> None:
    assert insert_chunk(data, aigc_chunk(producer="us", produce_id="1")) == data
