"""Rates, counted and told: by address before the body is read, by user once it is known who asks."""

from __future__ import annotations

from aiohttp import web

from service.domain.limits import RateLimiter
from service.errors import TooManyRequests
from service.web.keys import USER_LIMITER
from service.web.request_context import CONTEXT, RequestContext


def count_user(request: web.Request, openid: str) -> None:
    """Raises: TooManyRequests."""
    count(request[CONTEXT], request.app[USER_LIMITER], openid)


def count(context: RequestContext, limiter: RateLimiter, key: str) -> None:
    """Raises: TooManyRequests."""
    allowance = limiter.hit(key)
    if allowance is None:
        return
    context.allowance = allowance
    if allowance.retry_after_seconds:
        raise TooManyRequests("rate_limited", retry_after_seconds=allowance.retry_after_seconds)
