"""GET /api/balance."""

from __future__ import annotations

import msgspec
from aiohttp import web

from service.web.answers import BalanceAnswer
from service.web.envelope import success
from service.web.identity import Access, admit
from service.web.keys import BALANCE, SETTINGS


async def get_balance(request: web.Request) -> web.Response:
    if request.app[SETTINGS].balance_for == "admin":
        admit(request, Access.OPERATOR)
    return success(msgspec.convert(await request.app[BALANCE].get(), BalanceAnswer, from_attributes=True))
