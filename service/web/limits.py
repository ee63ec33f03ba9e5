"""Rates, counted and told: by address before the body is read, by user once it is known who asks."""

from __future__ import annotations

from aiohttp import web

from service.domain.limits import Allowance, RateLimiter
from service.errors import TooManyRequests
from service.web.client_address import client_address, site_of
from service.web.keys import ADDRESS_LIMITER, USER_LIMITER

_ALLOWANCE = web.RequestKey("ALLOWANCE", Allowance)


def count_address(request: web.Request) -> None:
    """Raises: TooManyRequests."""
    _count(request, request.app[ADDRESS_LIMITER], site_of(client_address(request)))


def count_user(request: web.Request, openid: str) -> None:
    """Raises: TooManyRequests."""
    _count(request, request.app[USER_LIMITER], openid)


async def tell_allowance(request: web.Request, response: web.StreamResponse) -> None:
    """The rate headers, on answers to requests that count: of the limit that was looked at last."""
    allowance = request.get(_ALLOWANCE)
    if allowance is not None:
        response.headers["RateLimit-Limit"] = str(allowance.limit)
        response.headers["RateLimit-Remaining"] = str(allowance.remaining)
        response.headers["RateLimit-Reset"] = str(allowance.reset_seconds)


def _count(request: web.Request, limiter: RateLimiter, key: str) -> None:
    allowance = limiter.hit(key)
    if allowance is None:
        return
    request[_ALLOWANCE] = allowance
    if allowance.retry_after_seconds:
        raise TooManyRequests("rate_limited", retry_after_seconds=allowance.retry_after_seconds)
