from __future__ import annotations

import pytest

from service.upstream.retries import (
    Repeat,
    parse_retry_after,
    pause_seconds,
    repeat_after_disconnect,
    repeat_after_status,
)

NOW = 1_445_412_480.0  # Wed, 21 Oct 2015 07:28:00 GMT


def pause(
    repeat: Repeat = Repeat.AFTER_A_PAUSE,
    retried: int = 0,
    retry_after: float | None = None,
    left: float = 600.0,
    chance: float = 0.5,
) -> float | None:
    return pause_seconds(repeat, retried=retried, retry_after_seconds=retry_after, left_seconds=left, chance=chance)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_asked_again(status: int) -> None:
    assert repeat_after_status(status) is Repeat.AFTER_A_PAUSE


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 413, 422])
def test_what_stays_wrong_is_not_asked_again(status: int) -> None:
    assert repeat_after_status(status) is Repeat.NEVER


def test_a_stale_pooled_connection_is_replaced_at_once() -> None:
    assert repeat_after_disconnect(reused=True, waited_seconds=0.01) is Repeat.AT_ONCE


def test_a_fresh_connection_that_breaks_may_have_been_billed() -> None:
    assert repeat_after_disconnect(reused=False, waited_seconds=0.01) is Repeat.NEVER


def test_a_pooled_connection_that_breaks_late_may_have_been_billed() -> None:
    assert repeat_after_disconnect(reused=True, waited_seconds=30) is Repeat.NEVER


def test_pauses_grow_and_are_jittered() -> None:
    assert [pause(retried=0, chance=0.0), pause(retried=0, chance=1.0)] == [0.25, 0.75]
    assert [pause(retried=1, chance=0.0), pause(retried=1, chance=1.0)] == [0.5, 1.5]


def test_there_are_two_retries() -> None:
    assert pause(retried=1) is not None
    assert pause(retried=2) is None


def test_a_stale_connection_is_replaced_only_once() -> None:
    assert pause(Repeat.AT_ONCE, retried=0) == 0.0
    assert pause(Repeat.AT_ONCE, retried=1) is None


def test_what_must_not_be_repeated_is_not() -> None:
    assert pause(Repeat.NEVER) is None


def test_retry_after_is_honoured() -> None:
    assert pause(retry_after=7.0) == 7.0


def test_a_retry_after_of_nothing_is_still_a_pause() -> None:
    assert pause(retry_after=0.0) == 0.5


def test_a_retry_after_too_long_to_wait_for_gives_up_at_once() -> None:
    assert pause(retry_after=20.0) == 20.0
    assert pause(retry_after=20.5) is None


def test_no_pause_outlives_the_whole_time() -> None:
    assert pause(retry_after=7.0, left=7.0) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": " 1.5 "}, 1.5),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:09 GMT"}, 9.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:00:00 GMT"}, 0.0),
        ({"retry-after-ms": "250", "Retry-After": "1"}, 0.25),
        ({}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "1e9"}, None),
        ({"Retry-After": "9" * 400}, None),
        ({"Retry-After": "٣"}, None),
        ({"Retry-After": "Wed, 99 Oct 2015 07:28:09 GMT"}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date_or_not_at_all(headers: dict[str, str], seconds: float | None) -> None:
    assert parse_retry_after(headers, NOW) == seconds
