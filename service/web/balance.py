"""GET /api/balance."""

from __future__ import annotations

import msgspec
from aiohttp import web

from service.web.answers import BalanceAnswer
from service.web.envelope import success
from service.web.keys import BALANCE


async def get_balance(request: web.Request) -> web.StreamResponse:
    return success(msgspec.convert(await request.app[BALANCE].get(), BalanceAnswer, from_attributes=True))
