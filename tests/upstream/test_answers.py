from __future__ import annotations

import json
from typing import Any

import pytest

from service.models import Completion, Usage
from service.upstream.answers import clean, read_completion
from service.upstream.wire import Unusable


def read(message: dict[str, Any], **fields: Any) -> Completion:
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return read_completion(json.dumps({"model": "m", "choices": [choice], **fields}).encode())


def test_a_usual_answer_is_read_whole() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert read({"role": "assistant", "content": "你好 👋"}, usage=usage) == Completion(
        reply="你好 👋", finish_reason="stop", model="m", usage=Usage(3, 4)
    )


def test_null_content_is_an_empty_reply() -> None:
    assert read({"content": None}).reply == ""


def test_a_refusal_is_what_the_user_reads() -> None:
    assert read({"content": None, "refusal": "I cannot."}).reply == "I cannot."


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_reasoning_is_kept_apart(key: str) -> None:
    answer = read({"content": "4", key: "two and two"})
    assert (answer.reply, answer.reasoning) == ("4", "two and two")


def test_reasoning_under_both_names_is_told_once() -> None:
    assert read({"content": "4", "reasoning": "hm", "reasoning_content": "hm"}).reasoning == "hm"


def test_content_parts_are_joined_and_their_pictures_and_thoughts_kept_apart() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "Here "},
        "it is",
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
        {"type": "image", "b64_json": "AAAA"},
        {"type": "other"},
        7,
    ]
    answer = read({"content": parts})
    assert (answer.reply, answer.reasoning) == ("Here it is", "hm")
    assert answer.images == ("https://x.example/a.png", "data:image/png;base64,AAAA")


def test_pictures_beside_the_text_are_found_once_each() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    images = [
        picture,
        picture,
        {"url": "http://x.example/b"},
        {"image_url": "https://x.example/c"},
        "https://x.example/d",
    ]
    assert read({"content": "", "images": images}).images == (
        "data:image/png;base64,AAAA",
        "http://x.example/b",
        "https://x.example/c",
        "https://x.example/d",
    )


def test_what_is_no_link_is_no_picture() -> None:
    images: list[Any] = [
        "picture.png",
        "file:///etc/passwd",
        "javascript:alert(1)",
        {"url": 7},
        None,
        [],
        {"image_url": {}},
    ]
    assert read({"content": "x", "images": images}).images == ()


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        (None, None),
        ({}, None),
        ({"prompt_tokens": None}, None),
        ({"prompt_tokens": "3", "completion_tokens": "4"}, Usage(3, 4)),
        ({"prompt_tokens": 3.0, "completion_tokens": 4}, Usage(3, 4)),
        ({"prompt_tokens": 3, "total_tokens": 7}, Usage(3, 4)),
        ({"completion_tokens": 4, "total_tokens": 7}, Usage(3, 4)),
        ({"total_tokens": 7}, Usage(0, 7)),
        ({"prompt_tokens": 3}, Usage(3, 0)),
        ({"prompt_tokens": -3, "completion_tokens": 1e300}, None),
        ({"prompt_tokens": "many", "completion_tokens": [4]}, None),
        ([3, 4], None),
    ],
)
def test_usage_is_read_in_every_form_it_is_told_in(told: Any, usage: Usage | None) -> None:
    assert read({"content": "x"}, usage=told).usage == usage


@pytest.mark.parametrize("told", ["", "null", None])
def test_an_empty_finish_reason_is_none(told: str | None) -> None:
    body = {"choices": [{"message": {"content": "x"}, "finish_reason": told}]}
    assert read_completion(json.dumps(body).encode()).finish_reason is None


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"choices": None},
        {"choices": []},
        {"choices": [{"index": 0}]},
        {"choices": [{"message": {"content": "half"}, "finish_reason": "error"}]},
    ],
)
def test_an_answer_without_a_usable_choice_is_unusable(document: Any) -> None:
    with pytest.raises(Unusable):
        read_completion(json.dumps(document).encode())


def test_a_message_told_as_a_delta_is_read() -> None:
    assert read_completion(b'{"choices":[{"delta":{"content":"hi"}}]}').reply == "hi"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("你好 👩‍👩‍👧", "你好 👩‍👩‍👧"),
        ("a\0b", "ab"),
        ("\ud83d\ude00", "😀"),
        ("a\ud83d", "a\ufffd"),
        ("\ude00b\0", "\ufffdb"),
    ],
)
def test_a_clean_text_can_be_stored(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_lone_halves_and_nul_reach_no_field_of_an_answer() -> None:
    body = rb"""{"model":"m\u0000\ud800","choices":[{"finish_reason":"st\u0000op","message":{"content":"a\ud800\u0000",
        "reasoning":"\udc00","images":["https://x.example/\ud800"]}}]}"""
    answer = read_completion(body)
    assert (answer.model, answer.finish_reason) == ("m\ufffd", "stop")
    assert (answer.reply, answer.reasoning, answer.images) == ("a\ufffd", "\ufffd", ("https://x.example/\ufffd",))


def test_names_are_bounded() -> None:
    assert len(read({"content": "x"}, model="m" * 10_000).model) == 200
