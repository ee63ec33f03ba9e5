"""The whole house on one page: what is made, in which order, and what is closed again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from aiohttp import web

from service.clock import Clock, SystemClock
from service.domain.accounts import Accounts
from service.domain.balance import BalanceCache
from service.domain.chat import Chat
from service.domain.checkpoints import keep_checkpoints
from service.domain.file_links import FileLinks
from service.domain.file_store import FileStore
from service.domain.history import History
from service.domain.ids import IdMaker
from service.domain.images import Images
from service.domain.limits import RateLimiter
from service.domain.pace import Pace
from service.domain.pictures import LARGEST_PICTURE_BYTES, Pictures
from service.domain.registry import Registry
from service.domain.safety import make_content_check
from service.domain.sessions import Sessions
from service.domain.tokens import AccessTokens, load_keys
from service.domain.turn_runner import TurnRunner
from service.domain.turns import Turns
from service.domain.upkeep import Upkeep
from service.domain.upstream_health import UpstreamHealth
from service.metrics import Metrics
from service.settings import Settings
from service.storage.audit import AuditStore
from service.storage.database import Database
from service.storage.files import FileOwnerStore
from service.storage.opening import data_folder, open_database
from service.storage.refresh_tokens import RefreshTokenStore
from service.storage.turns import TurnStore
from service.storage.users import UserStore
from service.upstream.client import UpstreamClient
from service.upstream.downloads import Downloader
from service.web import cors, keys, middlewares
from service.web.access_log import AccessLog, write_to_stderr
from service.web.routes import add_routes
from service.wechat.client import open_wechat
from service.wechat.content_check import WeChatContentCheck
from service.wechat.login import WeChatLogin

_log = logging.getLogger(__name__)


def create_app(
    settings: Settings,
    *,
    clock: Clock | None = None,
    pace: Pace | None = None,
    write_log: Callable[[bytes], object] = write_to_stderr,
) -> web.Application:
    """Make the application; nothing is opened before it starts. `write_log` takes the lines of the access log.

    Raises: StartError, here or at its start, when the store or the data folder cannot be used.
    """
    app = web.Application(client_max_size=settings.max_body_bytes)
    app[keys.SETTINGS] = settings
    app[keys.CLOCK] = clock or SystemClock()
    app[keys.PACE] = pace or Pace()
    app[keys.USER_LIMITER] = RateLimiter(settings.rate_limit)
    app[keys.ADDRESS_LIMITER] = RateLimiter(settings.ip_rate_limit)
    app[keys.ACCESS_TOKENS] = access_tokens(settings, app[keys.CLOCK])
    app[keys.METRICS] = Metrics()
    app[keys.UPSTREAM_HEALTH] = UpstreamHealth()
    app[keys.ACCESS_LOG] = AccessLog(settings, app[keys.PACE], write_log)
    app.middlewares.append(middlewares.observing(settings, app[keys.METRICS], app[keys.ACCESS_LOG]))
    add_routes(app)
    cors.set_up(app, settings)
    app.cleanup_ctx.append(_furnish)
    return app


def access_tokens(settings: Settings, clock: Clock) -> AccessTokens:
    """What mints and checks tokens. Raises: StartError."""
    return AccessTokens(load_keys(settings.auth_secret, data_folder(settings)), clock)


async def drain(app: web.Application, *, grace_seconds: float | None = None) -> None:
    """Stop taking turns and let those that run come to an end; still listening, so that readers hear of it.

    Units: `grace_seconds` where it is not SHUTDOWN_GRACE_SECONDS.
    """
    seconds = app[keys.SETTINGS].shutdown_grace_seconds if grace_seconds is None else grace_seconds
    await app[keys.TURNS].drain(seconds)


async def _furnish(app: web.Application) -> AsyncIterator[None]:
    """Open the edges, put the rooms between them, and close all in the reverse order."""
    settings, clock, pace, metrics = app[keys.SETTINGS], app[keys.CLOCK], app[keys.PACE], app[keys.METRICS]
    async with contextlib.AsyncExitStack() as stack:
        database = await open_database(settings.database_url, clock.now_ms(), metrics)
        stack.push_async_callback(database.close)
        upstream = UpstreamClient(settings)
        await upstream.open()
        stack.push_async_callback(upstream.close)

        turn_store = TurnStore(database)
        registry = Registry(settings)
        runner = TurnRunner(turn_store, registry, settings, clock, pace, metrics, app[keys.UPSTREAM_HEALTH])
        turns = Turns(turn_store, registry, runner, settings, clock)
        app[keys.DATABASE] = database
        app[keys.TURNS] = turns
        wechat = await stack.enter_async_context(open_wechat(settings))
        check = make_content_check(settings, WeChatContentCheck(wechat, clock))
        pictures = await _open_pictures(stack, settings, database, clock)
        ids = IdMaker()
        app[keys.PICTURES] = pictures
        app[keys.CHAT] = Chat(turns, turn_store, pictures, check, upstream, settings, clock, ids)
        app[keys.IMAGES] = Images(turns, pictures, check, upstream, settings, clock, ids)
        app[keys.HISTORY] = History(turns, turn_store)
        app[keys.ACCOUNTS] = Accounts(UserStore(database), turns, pictures, clock)
        app[keys.WECHAT_LOGIN] = WeChatLogin(wechat, clock)
        refresh_tokens = RefreshTokenStore(database)
        app[keys.SESSIONS] = Sessions(refresh_tokens, app[keys.ACCESS_TOKENS], clock)
        app[keys.BALANCE] = BalanceCache(upstream, settings, clock, pace)

        interrupted = await turns.recover()
        if interrupted:
            _log.warning("%d turns were cut off by the last stop; they are kept as interrupted", interrupted)
        checkpoints = asyncio.create_task(keep_checkpoints(turns, turn_store, clock, pace))
        stack.push_async_callback(_cancel, checkpoints)
        stack.push_async_callback(_cancel, asyncio.create_task(app[keys.ACCESS_LOG].run()))
        metrics.watch("turns_running", "Turns that run now", lambda: len(turns.running))
        metrics.watch("upstream_connections_in_use", "Connections to the upstream in use", lambda: upstream.in_use)
        metrics.watch("upstream_connections_limit", "Connections to the upstream at the most", lambda: upstream.limit)
        upkeep = Upkeep(pictures, refresh_tokens, AuditStore(database), settings, clock, pace)
        stack.push_async_callback(_cancel, asyncio.create_task(upkeep.run()))
        stack.push_async_callback(turns.drain, 0)
        yield


async def _open_pictures(
    stack: contextlib.AsyncExitStack, settings: Settings, database: Database, clock: Clock
) -> Pictures:
    files = FileStore(
        Path(settings.files_dir),
        max_bytes=settings.files_max_bytes,
        ttl_seconds=settings.files_ttl_seconds,
        clock=clock,
    )
    await files.open()
    downloader = Downloader(
        max_bytes=LARGEST_PICTURE_BYTES,
        timeout_seconds=settings.idle_timeout_seconds,
        trusted_origins=frozenset({settings.openai_base_url}),
    )
    await downloader.open()
    stack.push_async_callback(downloader.close)
    links = FileLinks(load_keys(settings.auth_secret, data_folder(settings)))
    return Pictures(files, FileOwnerStore(database), downloader, links, settings, clock)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
