"""Figures out of an upstream's JSON, as Decimal, and a Balance out of figures.

Knows no dialect. What is not a figure is refused, never guessed: a balance of 0 that nobody gave makes people pay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NoReturn

from service.models import Balance
from service.upstream.wire import Unusable

Document = Mapping[str, object]

_DECIMAL_TEXT: Final = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_BOUND: Final = Decimal(10) ** 15  # nobody's account; and a double still holds the cents below it
_PLACES: Final = 6  # relays compute in doubles: 12.340000000000002 was 12.34


def read_document(body: bytes) -> Document:
    """Read a JSON object, its numbers as Decimal. Raises Unusable, also where it bears an `error`."""
    try:
        document = json.loads(body, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse)
    except (ValueError, ArithmeticError, RecursionError):
        raise Unusable("not JSON") from None
    if not isinstance(document, dict):
        raise Unusable("not a JSON object")
    error = document.get("error")
    if error and (not isinstance(error, dict) or any(error.values())):
        raise Unusable("an error inside the answer")
    return document


def inner(document: Document, key: str) -> Document:
    """Give the object under a key. Raises Unusable."""
    value = document.get(key)
    if not isinstance(value, dict):
        raise Unusable(f"no object under {key}")
    return value


def number(document: Document, key: str) -> Decimal:
    """Give the JSON number under a key. Raises Unusable, also where there is none."""
    value = document.get(key)
    if not isinstance(value, Decimal) or not -_BOUND < value < _BOUND:
        raise Unusable(f"no number under {key}")
    return value


def number_or_none(document: Document, key: str) -> Decimal | None:
    """Give the JSON number under a key, None where it is absent or null. Raises Unusable."""
    return None if document.get(key) is None else number(document, key)


def decimal_text(document: Document, key: str) -> Decimal:
    """Give the decimal number that a key holds as text, such as "110.00". Raises Unusable."""
    value = document.get(key)
    if not isinstance(value, str) or not _DECIMAL_TEXT.fullmatch(value):
        raise Unusable(f"no decimal number under {key}")
    return number({key: Decimal(value)}, key)


def make_balance(
    source: str,
    currency: str,
    *,
    limit: Decimal | None = None,
    usage: Decimal | None = None,
    remaining: Decimal | None = None,
    unlimited: bool = False,
) -> Balance:
    """Make a Balance, whose figures are the last place where a float is allowed."""
    return Balance(
        total_limit=_rounded(limit),
        total_usage=_rounded(usage),
        remaining=_rounded(remaining),
        currency=currency,
        source=source,
        unlimited=unlimited,
    )


def _rounded(figure: Decimal | None) -> float | None:
    return None if figure is None else float(round(figure, _PLACES))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
