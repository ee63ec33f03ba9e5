"""What went wrong with the upstream: brought to one UpstreamError for clients, and to one masked line for the log.

Nothing of what the upstream says ever reaches an exception: its words are read here, to judge the case and to log them.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from math import ceil
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from service.errors import UpstreamError
from service.upstream.retries import Repeat, repeat_after_disconnect, repeat_after_status
from service.upstream.wire import Unusable, read_json

MOST_ERROR_BYTES: Final = 64 << 10

_LONGEST_WORDS = 500
_LONGEST_TOLD_WAIT_SECONDS = 3600
_WORD_KEYS = ("message", "msg", "detail", "error_msg", "errorMessage", "error_message", "errmsg", "error_description")
_CODE_KEYS = ("code", "type", "error_code", "errorCode", "status")
_TITLE = re.compile(r"<title[^>]{0,200}>(.{0,300}?)</title", re.IGNORECASE | re.DOTALL)
_QUOTA = re.compile(
    r"insufficient[_ ](\w{1,20}[_ ])?(quota|balance|credits?|funds)|billing_hard_limit|billing_not_active"
    r"|余额不足|额度不足|额度已用尽|欠费",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(
    r"context_length_exceeded|context[_ ]window|(maximum|model'?s?) context length|prompt is too long|input is too long"
    r"|input length should be|too many (input )?tokens|exceeds? the max(imum)? (number of )?(input )?tokens"
    r"|上下文.{0,8}超",
    re.IGNORECASE,
)
_MASKED: Final = (
    (re.compile(r"data:[\w/+.-]{1,100};base64,[\w+/=-]*"), "<data>"),
    (re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s\"'<>]+", re.IGNORECASE), "<url>"),
    (re.compile(r"\bBearer\s+[^\s\"']+", re.IGNORECASE), "<key>"),
    (re.compile(r"\b(sk|pk|ak|key|token)-[\w*.-]{4,}", re.IGNORECASE), "<key>"),
    (re.compile(r"\b[\w.-]{1,100}:\d{2,5}\b", re.ASCII), "<host>"),
    (re.compile(r"\w{0,40}\*{3,}[\w*]{0,100}"), "<key>"),  # keys that the upstream has half hidden itself
    (re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029\ud800-\udfff]+"), " "),
)


class ContextTooLong(UpstreamError):
    """The messages are more than the model can take: fewer of them may pass."""


class StreamOptionsRejected(UpstreamError):
    """The upstream does not know `stream_options`: without them it may answer."""


@dataclass(frozen=True, slots=True)
class Failure:
    """`error` is for the client, `repeat` for the retry, `words` (masked) for the log."""

    error: UpstreamError
    repeat: Repeat
    words: str
    retry_after_seconds: float | None = None


class Mask:
    """Blanks keys and addresses out of the upstream's words."""

    def __init__(self, secrets: tuple[str, ...], *base_urls: str) -> None:
        hosts = (urlsplit(url).hostname or "" for url in base_urls)
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)
        self._hosts = [re.compile(re.escape(host), re.IGNORECASE) for host in hosts if host]

    def __call__(self, words: str) -> str:
        for secret in self._secrets:
            words = words.replace(secret, "<key>")
        for pattern, shown in _MASKED:
            words = pattern.sub(shown, words)
        for host in self._hosts:
            words = host.sub("<host>", words)
        return words.strip()[:_LONGEST_WORDS]


def from_answer(status: int, body: bytes, mask: Mask, retry_after_seconds: float | None = None) -> Failure:
    """Judge an answer with a status that is no success."""
    words, codes = read_words(body)
    error = _known_cause(status, f"{codes} {words}") or _by_status(status, retry_after_seconds)
    repeat = repeat_after_status(status) if error.details["retryable"] else Repeat.NEVER
    return Failure(error, repeat, mask(f"status {status} {codes}: {words}"), retry_after_seconds)


def from_unusable(unusable: Unusable, mask: Mask) -> Failure:
    """Judge an answer with status 200 that is none; its own code counts where it has one (OpenRouter)."""
    words, codes = read_words(unusable.body)
    inner = next((int(code) for code in codes.split() if re.fullmatch(r"[45]\d\d", code)), 0)
    error = _known_cause(inner, f"{codes} {words}")
    if error is None:
        error = _by_status(inner, None) if inner else UpstreamError("upstream_invalid", retryable=True)
    return Failure(error, Repeat.NEVER, mask(f"{unusable.reason} {codes}: {words}"))


def from_exception(error: Exception, mask: Mask, *, reused: bool, waited_seconds: float) -> Failure:
    """Judge an attempt that ended before the head of an answer."""
    words = mask(f"{type(error).__name__}: {error}")
    if isinstance(
        error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.ClientHttpProxyError
    ):  # nobody has read the request
        return Failure(UpstreamError(retryable=True), Repeat.AFTER_A_PAUSE, words)
    if isinstance(error, TimeoutError):  # the request was read: asking again may bill twice
        return Failure(UpstreamError("upstream_timeout", retryable=True), Repeat.NEVER, words)
    if isinstance(error, aiohttp.ClientConnectionError):
        repeat = repeat_after_disconnect(reused=reused, waited_seconds=waited_seconds)
        return Failure(UpstreamError(retryable=True), repeat, words)
    return Failure(UpstreamError("upstream_invalid", retryable=True), Repeat.NEVER, words)


def from_broken_body(error: Exception, mask: Mask) -> Failure:
    """Judge an answer that stopped coming, or broke off, after its head."""
    type_ = "upstream_timeout" if isinstance(error, TimeoutError) else "upstream_invalid"
    return Failure(UpstreamError(type_, retryable=True), Repeat.NEVER, mask(f"{type(error).__name__}: {error}"))


def read_words(body: bytes) -> tuple[str, str]:
    """Find the upstream's words and its codes, under whatever keys it has them. Not masked."""
    try:
        document = read_json(body[:MOST_ERROR_BYTES])
    except Unusable:
        return _read_page(body[:MOST_ERROR_BYTES].decode("utf-8", "replace").lstrip()), ""
    outer = _first(document)  # Gemini puts its errors into a list
    outer = outer if isinstance(outer, dict) else {}
    inner = _first(outer.get("error") or outer.get("errors"))
    if isinstance(inner, str):
        inner = {"message": inner}
    levels = [level for level in (inner, outer) if isinstance(level, dict)]
    words = next((text for level in levels for key in _WORD_KEYS if (text := _plain(level.get(key)))), "")
    codes = (str(level[key]) for level in levels for key in _CODE_KEYS if isinstance(level.get(key), str | int))
    return words, " ".join(dict.fromkeys(code[:100] for code in codes))


def _first(value: Any) -> Any:
    return next(iter(value), None) if isinstance(value, list) else value


def _read_page(text: str) -> str:
    if text[:1] in ("{", "["):  # a cut answer: what it says belongs to the user, not into a log
        return f"cut JSON of at least {len(text)} characters"
    if text[:1] != "<":
        return text[:2000]
    found = _TITLE.search(text)
    return "HTML page " + (html.unescape(found[1]).strip() if found else "without a title")


def _plain(words: Any) -> str:
    words = _first(words)
    if isinstance(words, dict):  # FastAPI: a list of {loc, msg}
        words = words.get("msg")
    return words if isinstance(words, str) else ""


def _known_cause(status: int, said: str) -> UpstreamError | None:
    if status == 402 or _QUOTA.search(said):
        return UpstreamError("upstream_unavailable", retryable=False)
    if status != 429 and _TOO_LONG.search(said):
        return ContextTooLong("upstream_rejected", retryable=False)
    if status < 500 and "stream_options" in said:
        return StreamOptionsRejected("upstream_rejected", retryable=False)
    return None


def _by_status(status: int, retry_after_seconds: float | None) -> UpstreamError:
    if status in (408, 504, 524):
        return UpstreamError("upstream_timeout", retryable=True)
    if status == 429 and retry_after_seconds is not None and retry_after_seconds <= _LONGEST_TOLD_WAIT_SECONDS:
        return UpstreamError("upstream_unavailable", retryable=True, retry_after_seconds=ceil(retry_after_seconds))
    if status in (409, 429) or status >= 500:
        return UpstreamError("upstream_unavailable", retryable=True)
    if status >= 400:
        return UpstreamError("upstream_rejected", retryable=False)
    return UpstreamError("upstream_invalid", retryable=False)
