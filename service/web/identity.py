"""Who is asking, and whether this may be asked: decided for every route before its handler runs.

AUTH=local believes the `openid` of direct loopback clients and refuses all others, AUTH=open believes everybody,
AUTH=required believes tokens alone. Headers that gateways set (`X-WX-OPENID`) are never believed.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from enum import Enum, auto

from aiohttp import web

from service.domain.tokens import AccessTokens, is_openid
from service.errors import BadRequest, Forbidden, Unauthorized
from service.web.client_address import is_proxied, parse_address
from service.web.request_context import CONTEXT, RequestContext


class Access(Enum):
    """Who may call a route."""

    PUBLIC = auto()  # everybody: nothing of a user is told or done
    SESSION = auto()  # as USER, but the call itself is what gives a token
    USER = auto()  # a user, for what is theirs
    OPERATOR = auto()  # direct loopback clients, and the bearer of ADMIN_TOKEN
    BALANCE = auto()  # as USER or as OPERATOR: BALANCE_FOR says


Guard = Callable[[web.Request, RequestContext, AccessTokens], None]
"""Lets the request pass, or raises Unauthorized or Forbidden; remembers the user that a token names."""


def guard_of(access: Access) -> Guard:
    return _GUARDS[access]


def _admit_all(request: web.Request, context: RequestContext, tokens: AccessTokens) -> None:
    pass


def _admit_session(request: web.Request, context: RequestContext, tokens: AccessTokens) -> None:
    if context.settings.auth == "local" and not _is_direct_loopback(request):
        raise Forbidden("local_only")


def _admit_user(request: web.Request, context: RequestContext, tokens: AccessTokens) -> None:
    _admit_session(request, context, tokens)
    context.openid = _openid_of(_bearer(request), tokens, required=context.settings.auth == "required")


def user_of(request: web.Request, claimed: str | None, *, default: str | None = None) -> str:
    """The user that the call is for: the token's, or with AUTH=local and open the one that the client claims.

    Raises: Forbidden when a token names another; BadRequest when nobody is named.
    """
    context = request[CONTEXT]
    known = context.openid
    if context.settings.auth == "required":
        if known is None:
            raise Unauthorized
        if claimed is not None and claimed != known:
            raise Forbidden
        return known
    openid = claimed if claimed is not None else known or default
    if openid is None:
        raise BadRequest("missing_field", field="openid")
    if not is_openid(openid):
        raise BadRequest("invalid_field", field="openid")
    return openid


def owner_of(request: web.Request) -> str | None:
    """Whose things may be reached by their id alone; None where no token is asked for, and the id is the key."""
    return user_of(request, None) if request[CONTEXT].settings.auth == "required" else None


def _openid_of(token: str, tokens: AccessTokens, *, required: bool) -> str | None:
    if not token:
        if required:
            raise Unauthorized
        return None
    try:
        return tokens.openid_of(token)
    except Unauthorized:
        if required:
            raise
        return None


def _bearer(request: web.Request) -> str:
    """The token; clients send the headers empty before they have one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and (token := token.strip()):
        return token
    return request.headers.get("token", "").strip()


def _admit_operator(request: web.Request, context: RequestContext, tokens: AccessTokens) -> None:
    wanted = context.settings.admin_token
    # Bytes that are no UTF-8 come as surrogates.
    if wanted and hmac.compare_digest(_bearer(request).encode("utf-8", "surrogateescape"), wanted.encode()):
        return
    if not _is_direct_loopback(request):
        raise Forbidden("admin_only")


def _admit_balance(request: web.Request, context: RequestContext, tokens: AccessTokens) -> None:
    admit = _admit_operator if context.settings.balance_for == "admin" else _admit_user
    admit(request, context, tokens)


_GUARDS: dict[Access, Guard] = {
    Access.PUBLIC: _admit_all,
    Access.SESSION: _admit_session,
    Access.USER: _admit_user,
    Access.OPERATOR: _admit_operator,
    Access.BALANCE: _admit_balance,
}


def _is_direct_loopback(request: web.Request) -> bool:
    address = parse_address(request.remote or "")
    return address is not None and address.is_loopback and not is_proxied(request)
