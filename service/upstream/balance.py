"""Asks the upstream how much money is left, in the dialect that its host speaks (or OPENAI_BALANCE names).

What the answers mean is in `balance_dialects`; caching, and who may ask, is somebody else's. The key only ever goes to
the configured host: every address is made from the base URL.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from service.errors import UpstreamError
from service.models import Balance
from service.settings import Settings
from service.upstream import balance_dialects as dialects
from service.upstream.session import UpstreamSession
from service.upstream.wire import Unusable

_T = TypeVar("_T")

_LARGEST_ANSWER_BYTES: Final = 1 << 20
_DIALECT_OF_DOMAIN: Final = {
    "deepseek.com": "deepseek",
    "moonshot.ai": "moonshot",
    "moonshot.cn": "moonshot",
    "openai.com": "openai",
    "openrouter.ai": "openrouter",
    "siliconflow.cn": "siliconflow",
    "siliconflow.com": "siliconflow",
}


async def fetch_balance(client: UpstreamSession, settings: Settings, now_ms: int) -> Balance:
    """Fetch the balance of the account behind the key.

    Raises UpstreamError, `balance_unsupported` where a key may not ask; Unavailable.
    """
    base_url = settings.openai_base_url
    dialect = settings.openai_balance
    if dialect == "auto":
        dialect = dialect_of(base_url)
    balance = await _FETCHERS[dialect](client, base_url, now_ms)
    return msgspec.structs.replace(balance, as_of=now_ms)


def dialect_of(base_url: str) -> str:
    """Choose the dialect by the host; an unknown one is most likely a relay of the one-api family."""
    labels = (urlsplit(base_url).hostname or "").rstrip(".").split(".")
    return _DIALECT_OF_DOMAIN.get(".".join(labels[-2:]), "one-api")


async def _one_api(client: UpstreamSession, base_url: str, now_ms: int) -> Balance:
    """Ask where the base URL is, and where that is refused, one path up or down: relays differ."""
    root = _without_version(base_url)
    try:
        return await _one_api_at(client, base_url, now_ms)
    except UpstreamError as error:
        if error.type not in ("upstream_rejected", "upstream_invalid"):
            raise
        try:
            return await _one_api_at(client, root if root != base_url else root + "/v1", now_ms)
        except UpstreamError:
            raise error from None


async def _one_api_at(client: UpstreamSession, base_url: str, now_ms: int) -> Balance:
    limit = await _ask(client, base_url, "/dashboard/billing/subscription", dialects.one_api_limit)
    return await _ask(
        client,
        base_url,
        "/dashboard/billing/usage",
        lambda body: dialects.one_api(limit, body),
        params=_last_hundred_days(now_ms),
    )


def _last_hundred_days(now_ms: int) -> dict[str, str]:
    """one-api tells the usage of all time; relays that mind the dates allow a hundred days, as OpenAI once did."""
    today = datetime.datetime.fromtimestamp(now_ms / 1000, datetime.UTC).date()
    first, last = today - datetime.timedelta(days=98), today + datetime.timedelta(days=1)
    return {"start_date": first.isoformat(), "end_date": last.isoformat()}


async def _deepseek(client: UpstreamSession, base_url: str, _now_ms: int) -> Balance:
    return await _ask(client, _without_version(base_url), "/user/balance", dialects.deepseek)


async def _siliconflow(client: UpstreamSession, base_url: str, _now_ms: int) -> Balance:
    currency = _currency(base_url)
    return await _ask(client, base_url, "/user/info", lambda body: dialects.siliconflow(body, currency))


async def _openrouter(client: UpstreamSession, base_url: str, _now_ms: int) -> Balance:
    try:
        return await _ask(client, base_url, "/credits", dialects.openrouter_credits)
    except UpstreamError as error:
        if error.type != "upstream_rejected":
            raise
    # The account's credits are told to management keys only; every key may ask about itself.
    return await _ask(client, base_url, "/key", dialects.openrouter_key)


async def _moonshot(client: UpstreamSession, base_url: str, _now_ms: int) -> Balance:
    currency = _currency(base_url)
    return await _ask(client, base_url, "/users/me/balance", lambda body: dialects.moonshot(body, currency))


async def _openai(_client: UpstreamSession, _base_url: str, _now_ms: int) -> Balance:
    """OpenAI tells the balance to a browser's session, and the costs to an admin key: to an API key, nothing."""
    raise UpstreamError("balance_unsupported")


_FETCHERS: Final[Mapping[str, Callable[[UpstreamSession, str, int], Awaitable[Balance]]]] = {
    "one-api": _one_api,
    "deepseek": _deepseek,
    "siliconflow": _siliconflow,
    "openrouter": _openrouter,
    "moonshot": _moonshot,
    "openai": _openai,
}


async def _ask(
    client: UpstreamSession,
    base_url: str,
    path: str,
    read: Callable[[bytes], _T],
    *,
    params: Mapping[str, str] | None = None,
) -> _T:
    async with client.request("GET", path, params=params, base_url=base_url) as answer:
        body = await client.read_body(answer, _LARGEST_ANSWER_BYTES)
        try:
            return read(body)
        except Unusable as unusable:
            raise client.unusable(Unusable(unusable.reason, body), answer) from None


def _without_version(base_url: str) -> str:
    # DeepSeek's features in trial are behind /beta, its balance is not.
    return re.sub(r"(/beta)?(/v\d+[a-z0-9]*)?$", "", base_url, flags=re.ASCII)


def _currency(base_url: str) -> str:
    """The Chinese vendors' sites abroad, on .com and .ai, count in dollars; whoever passes them on, in yuan."""
    host = urlsplit(base_url).hostname or ""
    return "USD" if host.endswith((".siliconflow.com", ".moonshot.ai")) else "CNY"
