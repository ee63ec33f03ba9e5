"""Whether a request is sent again, and after how long. Pure: chance and time are given to it.

Nothing is ever repeated once the upstream may have begun to answer: a second answer is a second bill.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Final

MOST_RETRIES: Final = 2
LONGEST_PAUSE_SECONDS: Final = 20.0

_FIRST_PAUSE_SECONDS = 0.5
_STALE_WITHIN_SECONDS = 2.0
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)


class Repeat(Enum):
    NEVER = auto()
    AT_ONCE = auto()
    AFTER_A_PAUSE = auto()


def repeat_after_status(status: int) -> Repeat:
    return Repeat.AFTER_A_PAUSE if status in (408, 409, 429) or status >= 500 else Repeat.NEVER


def repeat_after_disconnect(*, reused: bool, waited_seconds: float) -> Repeat:
    """Decide about a connection that broke after the request was written and before a byte came back.

    A pooled connection that the peer had closed while it was idle breaks at once: nobody has read the request.
    A fresh one, or one that broke late, was read by somebody: the answer may have been generated and billed.
    """
    return Repeat.AT_ONCE if reused and waited_seconds < _STALE_WITHIN_SECONDS else Repeat.NEVER


def pause_seconds(
    repeat: Repeat, *, retried: int, retry_after_seconds: float | None, left_seconds: float, chance: float
) -> float | None:
    """Give the pause before the next attempt; None: give up.

    `retried` counts the retries made, `chance` is random from 0 to 1. A Retry-After too long to wait for ends it.
    """
    if repeat is Repeat.NEVER or retried >= MOST_RETRIES:
        return None
    if repeat is Repeat.AT_ONCE:
        return 0.0 if retried == 0 else None
    pause = _FIRST_PAUSE_SECONDS * 2**retried * (0.5 + chance)
    if retry_after_seconds is not None:
        pause = max(retry_after_seconds, pause)
    return pause if pause <= LONGEST_PAUSE_SECONDS and pause < left_seconds else None


def parse_retry_after(headers: Mapping[str, str], now_seconds: float) -> float | None:
    """Read how long to wait, as a number of seconds or a date. None where it is not told or makes no sense.

    Source: RFC 9110, 10.2.3; `retry-after-ms` as OpenAI's own clients read it.
    """
    if _NUMBER.fullmatch(milliseconds := headers.get("retry-after-ms", "").strip()):
        return float(milliseconds) / 1000
    told = headers.get("Retry-After", "").strip()
    if _NUMBER.fullmatch(told):
        return float(told)
    try:
        return max(parsedate_to_datetime(told).timestamp() - now_seconds, 0.0)
    except (ValueError, OverflowError, TypeError):
        return None
