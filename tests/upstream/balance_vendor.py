"""The vendors' balance answers as they document them, and a stand-in for the network that gives them."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

import pytest
from aioresponses import aioresponses

from service.errors import UpstreamError
from service.models import Balance
from service.settings import Settings
from service.upstream.balance import fetch_balance
from service.upstream.session import UpstreamSession
from tests.aioresponses_fix import MockedResponse

NOW_MS = 1_760_000_000_000  # 2025-10-09 UTC
RELAY = "https://relay.example/v1"
ELSEWHERE = "https://relay.example"
OPENROUTER = "https://openrouter.ai/api/v1"
SUBSCRIPTION = "/dashboard/billing/subscription"
USAGE = "/dashboard/billing/usage"


class Vendor:
    """An upstream in the network's place, and the service's balance as it looks from there."""

    def __init__(self, mocked: aioresponses) -> None:
        self._mocked = mocked

    def answers(self, url: str, body: str | bytes, status: int = 200) -> None:
        pattern = re.compile(re.escape(url) + r"(\?.*)?$")
        self._mocked.get(pattern, body=body, status=status, repeat=True, response_class=MockedResponse)

    async def balance(self, base_url: str, dialect: str = "auto") -> Balance:
        return await ask(base_url, dialect)

    async def failure(self, base_url: str, dialect: str = "auto") -> str:
        with pytest.raises(UpstreamError) as caught:
            await self.balance(base_url, dialect)
        return caught.value.type

    def asked(self) -> list[str]:
        """The addresses that were asked, in their order, without their queries."""
        return [str(url.with_query(None)) for _, url in self._mocked.requests]

    def query(self, url: str) -> dict[str, list[str]]:
        return next(parse_qs(asked.query_string) for _, asked in self._mocked.requests if str(asked).startswith(url))


async def ask(base_url: str, dialect: str = "auto") -> Balance:
    """Ask for the balance as the service does, over whatever network there is."""
    settings = Settings.from_mapping({"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": base_url, "OPENAI_BALANCE": dialect})
    session = UpstreamSession(settings, sleep=_no_sleep)
    await session.open()
    try:
        return await fetch_balance(session, settings, NOW_MS)
    finally:
        await session.close()


async def _no_sleep(_seconds: float) -> None: ...


def figures(balance: Balance) -> tuple[float | None, float | None, float | None]:
    return balance.total_limit, balance.total_usage, balance.remaining


def fill(template: str, **values: str) -> str:
    for name, value in values.items():
        template = template.replace(name, value)
    return template


def subscription(limit: str) -> str:
    return fill(
        '{"object": "billing_subscription", "has_payment_method": true, "soft_limit_usd": LIMIT, '
        '"hard_limit_usd": LIMIT, "system_hard_limit_usd": LIMIT, "access_until": 1640995200}',
        LIMIT=limit,
    )


def usage(cents: str) -> str:
    return fill('{"object": "list", "total_usage": CENTS}', CENTS=cents)


def deepseek(*wallets: tuple[str, str]) -> str:
    template = (
        '{"currency": "CURRENCY", "total_balance": "TOTAL", "granted_balance": "10.00", "topped_up_balance": "0.00"}'
    )
    infos = [fill(template, CURRENCY=currency, TOTAL=total) for currency, total in wallets]
    return fill('{"is_available": true, "balance_infos": [INFOS]}', INFOS=", ".join(infos))


def siliconflow(total: str, code: str = "20000", status: str = "true") -> str:
    return fill(
        '{"code": CODE, "message": "OK", "status": STATUS, "data": {"id": "userid", "name": "", '
        '"email": "a@example.com", "isAdmin": false, "balance": "0.88", "status": "normal", "introduction": "", '
        '"role": "", "chargeBalance": "88.00", "totalBalance": TOTAL}}',
        CODE=code,
        STATUS=status,
        TOTAL=total,
    )


def openrouter_key(limit: str, remaining: str) -> str:
    return fill(
        '{"data": {"label": "sk-or-v1-au7...890", "limit": LIMIT, "limit_remaining": REMAINING, '
        '"limit_reset": "monthly", "usage": 25.5, "usage_daily": 25.5, "is_free_tier": false}}',
        LIMIT=limit,
        REMAINING=remaining,
    )


def moonshot(available: str, code: str = "0", status: str = "true") -> str:
    return fill(
        '{"code": CODE, "data": {"available_balance": AVAILABLE, "voucher_balance": 46.58893, '
        '"cash_balance": 3.00001}, "scode": "0x0", "status": STATUS}',
        CODE=code,
        AVAILABLE=available,
        STATUS=status,
    )
