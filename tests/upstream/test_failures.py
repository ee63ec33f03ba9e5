from __future__ import annotations

import json
from typing import Any

import pytest

from service.errors import UpstreamError
from service.upstream.failures import (
    ContextTooLong,
    Mask,
    StreamOptionsRejected,
    from_answer,
    from_unusable,
    read_words,
)
from service.upstream.retries import Repeat
from service.upstream.wire import Unusable

MASK = Mask(("sk-planted-key-4711", "planted-token"), "https://relay.example/v1")


def error(document: Any) -> bytes:
    return json.dumps({"error": document}).encode()


@pytest.mark.parametrize(
    ("status", "type_", "retryable"),
    [
        (302, "upstream_invalid", False),
        (400, "upstream_rejected", False),
        (401, "upstream_rejected", False),
        (402, "upstream_unavailable", False),
        (403, "upstream_rejected", False),
        (404, "upstream_rejected", False),
        (408, "upstream_timeout", True),
        (409, "upstream_unavailable", True),
        (429, "upstream_unavailable", True),
        (500, "upstream_unavailable", True),
        (503, "upstream_unavailable", True),
        (504, "upstream_timeout", True),
        (524, "upstream_timeout", True),
    ],
)
def test_every_status_has_its_type(status: int, type_: str, retryable: bool) -> None:
    found = from_answer(status, b"", MASK).error
    assert (found.type, found.details) == (type_, {"retryable": retryable})


def test_a_limit_tells_how_long_to_wait() -> None:
    assert from_answer(429, b"", MASK, 6.2).error.details == {"retryable": True, "retry_after_seconds": 7}


def test_a_wait_beyond_reason_is_not_told() -> None:
    assert from_answer(429, b"", MASK, 86400).error.details == {"retryable": True}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, error({"message": "You exceeded your current quota", "code": "insufficient_quota"})),
        (429, error({"message": "x", "type": "insufficient_quota"})),
        (403, error({"message": "用户额度不足, 剩余额度: $0", "code": "insufficient_user_quota"})),
        (402, error({"message": "Insufficient Balance"})),
        (500, b'{"message": "insufficient_quota"}'),
        (403, error({"message": "Sorry, your account balance is insufficient", "code": 30001, "type": "余额不足"})),
    ],
)
def test_an_empty_account_is_neither_asked_again_nor_retryable(status: int, body: bytes) -> None:
    failure = from_answer(status, body, MASK, 1.0)
    assert failure.repeat is Repeat.NEVER
    assert (failure.error.type, failure.error.details["retryable"]) == ("upstream_unavailable", False)


@pytest.mark.parametrize(
    "body",
    [
        error({"message": "x", "code": "context_length_exceeded"}),
        error({"message": "This model's maximum context length is 8192 tokens. However, you requested 9000"}),
        error({"message": "prompt is too long: 210000 tokens > 200000 maximum"}),
        error({"message": "<400> InternalError.Algo: Range of input length should be [1, 30720]"}),
        error("Your input exceeds the context window of this model."),
        b'{"detail": "The prompt exceeds the maximum number of tokens"}',
    ],
)
@pytest.mark.parametrize("status", [400, 413, 500])
def test_a_context_that_is_too_long_is_recognised(status: int, body: bytes) -> None:
    failure = from_answer(status, body, MASK)
    assert isinstance(failure.error, ContextTooLong)
    assert (failure.error.type, failure.repeat) == ("upstream_rejected", Repeat.NEVER)


def test_a_limit_of_tokens_a_minute_is_no_context_that_is_too_long() -> None:
    failure = from_answer(429, error({"message": "Too many tokens per minute", "code": "rate_limit_exceeded"}), MASK)
    assert not isinstance(failure.error, ContextTooLong)
    assert failure.repeat is Repeat.AFTER_A_PAUSE


def test_a_refusal_of_stream_options_is_recognised() -> None:
    body = error({"message": "Unrecognized request argument supplied: stream_options"})
    assert isinstance(from_answer(400, body, MASK).error, StreamOptionsRejected)


@pytest.mark.parametrize(
    ("body", "type_", "retryable"),
    [
        (b"<html><title>Oops</title>", "upstream_invalid", True),
        (b"", "upstream_invalid", True),
        (error("no"), "upstream_invalid", True),
        (error({"message": "no", "code": 429}), "upstream_unavailable", True),
        (error({"message": "no", "code": "400"}), "upstream_rejected", False),
        (error({"message": "no", "code": "insufficient_quota"}), "upstream_unavailable", False),
    ],
)
def test_a_failure_inside_an_answer_is_never_asked_again(body: bytes, type_: str, retryable: bool) -> None:
    failure = from_unusable(Unusable("an error inside the answer", body), MASK)
    assert failure.repeat is Repeat.NEVER
    assert (failure.error.type, failure.error.details) == (type_, {"retryable": retryable})


def test_a_context_that_is_too_long_is_recognised_inside_an_answer() -> None:
    body = error({"message": "x", "code": "context_length_exceeded"})
    assert isinstance(from_unusable(Unusable("x", body), MASK).error, ContextTooLong)


@pytest.mark.parametrize(
    "document",
    [
        {"error": {"message": "the words"}},
        {"error": "the words"},
        {"message": "the words"},
        {"msg": "the words", "code": 1},
        {"detail": "the words"},
        {"detail": [{"loc": ["body"], "msg": "the words"}]},
        {"error_msg": "the words", "error_code": 1},
        {"errorMessage": "the words"},
        {"error": {"error_message": "the words"}},
        {"errors": [{"message": "the words"}]},
        [{"error": {"message": "the words"}}],
    ],
)
def test_the_upstreams_words_are_found_under_every_key(document: Any) -> None:
    assert read_words(json.dumps(document).encode())[0] == "the words"


def test_a_page_is_told_by_its_title() -> None:
    assert read_words(b"\n<!DOCTYPE html><TITLE lang=en> 502 &amp; out\n</title><p>secret") == (
        "HTML page 502 & out",
        "",
    )


def test_plain_words_are_told_as_they_are() -> None:
    assert read_words(b"upstream connect error")[0] == "upstream connect error"


def test_a_cut_answer_is_not_told_at_all() -> None:
    assert "private" not in read_words(b'{"choices":[{"message":{"content":"private')[0]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("key sk-planted-key-4711 is wrong", "key <key> is wrong"),
        ("token planted-token.", "token <key>."),
        ("Incorrect API key provided: sk-abcd****wxyz.", "Incorrect API key provided: <key>"),
        ("key abcd****wxyz is wrong", "key <key> is wrong"),
        ("Authorization: Bearer abc.def", "Authorization: <key>"),
        ("see https://relay.example/keys?key=1 now", "see <url> now"),
        ("postgres://user:pw@10.0.0.1/db", "<url>"),
        ("lookup RELAY.example failed", "lookup <host> failed"),
        ("dial tcp 10.0.0.1:443: refused", "dial tcp <host>: refused"),
        ("picture data:image/png;base64,AAAA/+= is bad", "picture <data> is bad"),
        ("two\r\nlines\x1b[0m\u2028end\ud800", "two lines [0m end"),
        ("x" * 600, "x" * 500),
    ],
)
def test_the_log_has_no_key_no_address_and_no_second_line(words: str, shown: str) -> None:
    assert MASK(words) == shown


def test_a_huge_body_is_masked_quickly() -> None:
    assert len(MASK("a" * 70_000 + "*" * 70_000)) <= 500


def test_no_word_of_the_upstream_is_in_the_error() -> None:
    found = from_answer(400, error({"message": "the words", "code": "the_code"}), MASK)
    assert "the words" in found.words
    assert "the_code" in found.words
    assert "the" not in f"{found.error!r} {found.error} {found.error.message('en').replace('the request', '')}"
    assert isinstance(found.error, UpstreamError)
