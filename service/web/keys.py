"""Where the application keeps its parts: a leaf, so that every handler may import it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from service.clock import Clock
from service.domain.accounts import Accounts
from service.domain.balance import BalanceCache
from service.domain.chat import Chat
from service.domain.history import History
from service.domain.images import Images
from service.domain.limits import RateLimiter
from service.domain.pace import Pace
from service.domain.pictures import Pictures
from service.domain.sessions import Sessions
from service.domain.tokens import AccessTokens
from service.domain.turns import Turns
from service.domain.upstream_health import UpstreamHealth
from service.metrics import Metrics
from service.settings import Settings
from service.storage.database import Database
from service.wechat.login import WeChatLogin

if TYPE_CHECKING:
    from service.web.access_log import AccessLog

SETTINGS = web.AppKey("SETTINGS", Settings)
CLOCK: web.AppKey[Clock] = web.AppKey("CLOCK")
PACE = web.AppKey("PACE", Pace)
DATABASE: web.AppKey[Database] = web.AppKey("DATABASE")
TURNS = web.AppKey("TURNS", Turns)
CHAT = web.AppKey("CHAT", Chat)
IMAGES = web.AppKey("IMAGES", Images)
PICTURES = web.AppKey("PICTURES", Pictures)
HISTORY = web.AppKey("HISTORY", History)
ACCOUNTS = web.AppKey("ACCOUNTS", Accounts)
SESSIONS = web.AppKey("SESSIONS", Sessions)
ACCESS_TOKENS = web.AppKey("ACCESS_TOKENS", AccessTokens)
BALANCE = web.AppKey("BALANCE", BalanceCache)

WECHAT_LOGIN = web.AppKey("WECHAT_LOGIN", WeChatLogin)
USER_LIMITER = web.AppKey("USER_LIMITER", RateLimiter)
ADDRESS_LIMITER = web.AppKey("ADDRESS_LIMITER", RateLimiter)

UPSTREAM_HEALTH = web.AppKey("UPSTREAM_HEALTH", UpstreamHealth)
METRICS = web.AppKey("METRICS", Metrics)
ACCESS_LOG: web.AppKey[AccessLog] = web.AppKey("ACCESS_LOG")
