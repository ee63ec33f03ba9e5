"""What each vendor's balance answer means: pure functions, bytes to Balance. All of them raise Unusable.

Knows no paths and no network. `as_of` is left to the caller.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from service.models import Balance
from service.upstream.balance_figures import (
    Document,
    decimal_text,
    inner,
    make_balance,
    number,
    number_or_none,
    read_document,
)
from service.upstream.wire import Unusable

# Exactly this and no more: a relay that counts in tokens may well have a limit above it.
_ONE_API_UNLIMITED: Final = 100_000_000


def one_api_limit(subscription: bytes) -> Decimal:
    """Read the limit of one-api, new-api and their kin.

    Units: whatever the relay shows its users; the field says dollars.
    Source: https://www.newapi.ai/en/api/fei-account-billing-panel
    """
    return number(read_document(subscription), "hard_limit_usd")


def one_api(limit: Decimal, usage: bytes) -> Balance:
    """Read the usage of one-api, new-api and their kin beside its limit. Units: the usage is in hundredths."""
    used_hundredths = number_or_none(read_document(usage), "total_usage")
    used = None if used_hundredths is None else used_hundredths / 100
    if limit == _ONE_API_UNLIMITED:
        return make_balance("one-api", "USD", usage=used, unlimited=True)
    remaining = None if used is None else limit - used
    return make_balance("one-api", "USD", limit=limit, usage=used, remaining=remaining)


def deepseek(body: bytes) -> Balance:
    """Read DeepSeek's wallets, of which one is told: the first that holds money, else the first.

    Shape: amounts are texts, `currency` is CNY or USD.
    Source: https://api-docs.deepseek.com/api/get-user-balance
    """
    wallets = read_document(body).get("balance_infos")
    if not isinstance(wallets, list):
        raise Unusable("no list of wallets")
    amounts = [_wallet(wallet) for wallet in wallets]
    if not amounts:
        raise Unusable("no wallet")
    currency, remaining = next((wallet for wallet in amounts if wallet[1] > 0), amounts[0])
    return make_balance("deepseek", currency, remaining=remaining)


def siliconflow(body: bytes, currency: str) -> Balance:
    """Read SiliconFlow's account, which tells no currency.

    Shape: amounts are texts; `totalBalance` is the paid and the given money together.
    Source: https://docs.siliconflow.cn/en/api-reference/userinfo/get-user-info
    """
    data = _data(body, accepted_code=20000)
    return make_balance("siliconflow", currency, remaining=decimal_text(data, "totalBalance"))


def openrouter_credits(body: bytes) -> Balance:
    """Read the credits of an OpenRouter account. Units: a credit is a dollar.

    Source: https://openrouter.ai/docs/api-reference/get-credits
    """
    data = inner(read_document(body), "data")
    limit, used = number(data, "total_credits"), number(data, "total_usage")
    return make_balance("openrouter", "USD", limit=limit, usage=used, remaining=limit - used)


def openrouter_key(body: bytes) -> Balance:
    """Read what OpenRouter says of a key: its limit is null where only the account's credits limit it.

    Shape: `limit_remaining` may be that of a month, while `usage` is that of all time: none is computed.
    Source: https://openrouter.ai/docs/api-reference/limits
    """
    data = inner(read_document(body), "data")
    return make_balance(
        "openrouter",
        "USD",
        limit=number_or_none(data, "limit"),
        usage=number(data, "usage"),
        remaining=number_or_none(data, "limit_remaining"),
    )


def moonshot(body: bytes, currency: str) -> Balance:
    """Read Moonshot's account, which tells no currency. Shape: `available_balance` has cash and vouchers together.

    Source: https://platform.moonshot.cn/docs/api/balance
    """
    data = _data(body, accepted_code=0)
    return make_balance("moonshot", currency, remaining=number(data, "available_balance"))


def _data(body: bytes, accepted_code: int) -> Document:
    """Open the envelope `{code, status, data}`, whose HTTP status is 200 for failures too."""
    document = read_document(body)
    if number(document, "code") != accepted_code or document.get("status") is not True:
        raise Unusable("a failure inside the answer")
    return inner(document, "data")


def _wallet(wallet: object) -> tuple[str, Decimal]:
    if not isinstance(wallet, dict) or wallet.get("currency") not in ("CNY", "USD"):
        raise Unusable("no wallet in a known currency")
    return wallet["currency"], decimal_text(wallet, "total_balance")
