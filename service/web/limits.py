"""Rates, counted and told: by address before the body is read, by user once it is known who asks."""

from __future__ import annotations

from aiohttp import web

from service.domain.limits import Allowance
from service.web.client_address import client_address
from service.web.keys import ADDRESS_LIMITER, USER_LIMITER

_ALLOWANCE = web.RequestKey("ALLOWANCE", Allowance)


def count_address(request: web.Request) -> None:
    """Raises: TooManyRequests."""
    request.app[ADDRESS_LIMITER].hit(client_address(request))


def count_user(request: web.Request, openid: str) -> None:
    """Raises: TooManyRequests."""
    allowance = request.app[USER_LIMITER].hit(openid)
    if allowance is not None:
        request[_ALLOWANCE] = allowance


async def tell_allowance(request: web.Request, response: web.StreamResponse) -> None:
    """The rate headers, on answers to requests that count."""
    allowance = request.get(_ALLOWANCE)
    if allowance is not None:
        response.headers["RateLimit-Limit"] = str(allowance.limit)
        response.headers["RateLimit-Remaining"] = str(allowance.remaining)
        response.headers["RateLimit-Reset"] = str(allowance.reset_seconds)
