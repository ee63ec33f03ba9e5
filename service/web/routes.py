"""Every route on one screen: the way it is reached, who may call it, what it takes and what it gives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from aiohttp import web

from service.domain.limits import RateLimiter
from service.domain.tokens import AccessTokens
from service.web import (
    answers,
    balance,
    chat,
    docs,
    files,
    health,
    history,
    images,
    login,
    metrics,
    playground,
    requests,
    token,
    turns,
    user,
)
from service.web.client_address import site_of
from service.web.identity import Access, guard_of
from service.web.keys import ACCESS_TOKENS, ADDRESS_LIMITER
from service.web.limits import count
from service.web.request_context import CONTEXT

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Route(NamedTuple):
    """A route is for its user unless it says otherwise. `takes` and `query` check, `gives` is the `data` of success;
    `is_counted` counts against the rates."""

    method: str
    path: str
    handler: Handler
    gives: Any = None
    takes: Any = None
    query: Any = None
    access: Access = Access.USER
    is_counted: bool = False


ROUTES = (
    Route("POST", "/api/chat", chat.post_chat, answers.ChatAnswer, requests.ChatRequest, is_counted=True),
    Route("POST", "/api/image", images.post_image, answers.ImageAnswer, requests.ImageRequest, is_counted=True),
    Route("GET", "/api/turns/{turn_id}", turns.get_turn, answers.ChatAnswer, query=requests.TurnQuery),
    Route("POST", "/api/turns/{turn_id}/stop", turns.post_stop, answers.ChatAnswer),
    Route("POST", "/api/files", files.post_file, answers.FileAnswer, is_counted=True),
    Route("GET", "/api/files/{name}", files.get_file, query=requests.FileQuery, access=Access.PUBLIC),
    Route("GET", "/api/history/{openid}", history.get_history, answers.HistoryAnswer, query=requests.HistoryQuery),
    Route(
        "GET",
        "/api/history/{openid}/conversations",
        history.get_conversations,
        answers.ConversationsAnswer,
        query=requests.HistoryQuery,
    ),
    Route("POST", "/api/history/{openid}/clear", history.post_clear, answers.DeletedAnswer, requests.ClearRequest),
    Route("GET", "/api/user/{openid}", user.get_user, answers.UserAnswer),
    Route("POST", "/api/user/{openid}", user.post_user, answers.UserAnswer, requests.ProfileRequest),
    Route("POST", "/api/user/{openid}/erase", user.post_erase, answers.DeletedAnswer),
    Route(
        "POST",
        "/api/login",
        login.post_login,
        answers.LoginAnswer,
        requests.LoginRequest,
        access=Access.SESSION,
        is_counted=True,
    ),
    Route(
        "POST",
        "/api/token/refresh",
        token.post_refresh,
        answers.TokenAnswer,
        requests.RefreshRequest,
        access=Access.SESSION,
        is_counted=True,
    ),
    Route("GET", "/api/balance", balance.get_balance, answers.BalanceAnswer, access=Access.BALANCE),
    Route("GET", "/healthz", health.get_health, access=Access.PUBLIC),
    Route("GET", "/readyz", health.get_ready, access=Access.PUBLIC),
    Route("GET", "/metrics", metrics.get_metrics, access=Access.OPERATOR),
    Route("GET", "/openapi.json", docs.get_openapi, access=Access.PUBLIC),
    Route("GET", "/docs", docs.get_docs, access=Access.PUBLIC),
    Route("GET", "/docs/{asset}", docs.get_docs_asset, access=Access.PUBLIC),
    Route("GET", "/", playground.get_playground, access=Access.PUBLIC),
    Route("GET", "/playground/{part}", playground.get_playground_part, access=Access.PUBLIC),
    Route("GET", "/playground/vendor/{library}", playground.get_playground_library, access=Access.PUBLIC),
    Route("GET", "/chat-client.js", playground.get_client, access=Access.PUBLIC),
    Route("GET", "/chat-client.cjs", playground.get_client_to_require, access=Access.PUBLIC),
    Route("GET", "/chat-client.d.ts", playground.get_client_types, access=Access.PUBLIC),
)


def add_routes(app: web.Application) -> None:
    app[docs.ROUTES] = ROUTES
    for route in ROUTES:
        app.router.add_route(route.method, route.path, _guarded(route, app[ACCESS_TOKENS], app[ADDRESS_LIMITER]))


def _guarded(route: Route, tokens: AccessTokens, addresses: RateLimiter) -> Handler:
    admit = guard_of(route.access)

    async def handle(request: web.Request) -> web.StreamResponse:
        context = request[CONTEXT]
        context.route = route.path
        admit(request, context, tokens)
        if route.is_counted:
            count(context, addresses, site_of(context.address))
        return await route.handler(request)

    return handle
