from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from service.models import ChatAsk
from service.upstream.wire import Unusable, chat_body, only_choice, read_answer, read_json


def test_the_body_says_only_what_was_asked(ask: ChatAsk) -> None:
    assert json.loads(chat_body(ask)) == {
        "model": "gpt-4o-all",
        "messages": [{"role": "user", "content": "你好"}],
        "user": "a-hash",
    }


def test_the_body_carries_the_sampling_that_was_asked_for(ask: ChatAsk) -> None:
    body = json.loads(chat_body(msgspec.structs.replace(ask, temperature=0.0, top_p=0.5, max_tokens=9)))
    assert (body["temperature"], body["top_p"], body["max_tokens"]) == (0.0, 0.5, 9)


def test_a_stream_asks_for_its_usage(ask: ChatAsk) -> None:
    body = json.loads(chat_body(ask, stream=True, count_usage=True))
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}


def test_a_stream_can_go_without_stream_options(ask: ChatAsk) -> None:
    assert "stream_options" not in json.loads(chat_body(ask, stream=True))


@pytest.mark.parametrize(
    "body",
    [
        b' \r\n\n{"choices":[{"message":{"content":"hi"}}]}\n',
        b'\xef\xbb\xbf{"choices":[{"message":{"content":"hi"}}]}',
        b'\n\xef\xbb\xbf {"choices":[{"message":{"content":"hi"}}]}\0',
        b'{"id":7,"created":"now","choices":[{"index":0,"message":{"content":"hi","tool_calls":null}}]}',
        b'{"choices":[{"index":"0","message":{"content":"hi"}}],"model":["odd"],"usage":"none"}',
        b'{"choices":[7,{"index":null,"message":{"content":"hi","reasoning":{"a":1}},"finish_reason":3}]}',
        b'{"choices":[{"index":1,"message":{"content":"no"}},{"index":0,"message":{"content":"hi"}}]}',
        b'{"choices":[{"message":{"content":"hi"}}],"error":null}',
        b'{"choices":[{"message":{"content":"hi"}}],"error":{"code":0,"message":""}}',
    ],
)
def test_what_relays_put_around_an_answer_does_no_harm(body: bytes) -> None:
    choice = only_choice(read_answer(body))
    assert choice is not None
    assert choice.message is not None
    assert choice.message.content == "hi"


@pytest.mark.parametrize("broken", [b'"\xff\xfe"', b'"a\tb"', rb'"\ud83d"'])
def test_broken_strings_are_read_as_far_as_they_go(broken: bytes) -> None:
    choice = only_choice(read_answer(b'{"choices":[{"message":{"content":' + broken + b"}}]}"))
    assert choice is not None
    assert choice.message is not None
    assert isinstance(choice.message.content, str)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'"text"',
        b'{"choices":[{"message":{"content":"cut',
        b"[" * 200_000,
        b'{"choices":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"id":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"error":{"message":"no"}}',
        b'{"error":"no"}',
        b'{"choices":[{"message":{"content":"hi"}}],"error":{"code":502}}',
    ],
    ids=lambda body: body[:30],
)
def test_what_is_no_answer_is_unusable(body: bytes) -> None:
    with pytest.raises(Unusable):
        read_answer(body)


@pytest.mark.parametrize("choices", [None, [], [{"index": 1, "message": {"content": "x"}}]])
def test_only_the_choice_with_index_0_counts(choices: Any) -> None:
    assert only_choice(read_answer(json.dumps({"choices": choices}).encode())) is None


def test_deep_json_is_unusable_and_no_crash() -> None:
    with pytest.raises(Unusable):
        read_json(b'{"a":' * 100_000)
