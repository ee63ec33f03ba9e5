"""What WeChat's error numbers mean to us.

Source: https://developers.weixin.qq.com/doc/oplatform/developers/errCode/errCode.html and the table at the end of
each call's own page.
"""

from __future__ import annotations

from typing import Final

TOKEN_REFUSED: Final = frozenset({40001, 40014, 42001})

OPERATOR: Final[dict[int, str]] = {
    40001: "WECHAT_SECRET is wrong, or the access token is not valid",
    40002: "the grant type is not accepted",
    40013: "WECHAT_APPID is not a valid appid",
    40125: "WECHAT_SECRET is wrong",
    40164: "this server's address is not on the account's IP whitelist",
    40243: "the AppSecret is frozen in the account's console",
    41002: "the appid is missing",
    41004: "the AppSecret is missing",
    43002: "the call must be a POST",
    45009: "the account's daily quota for this call is used up",
    48001: "the account may not use this call",
    48004: "the account is banned from this call",
    50002: "the account is restricted",
    61004: "this server's address is not registered",
    89503: "the account's administrator must confirm this server's address",
    89506: "the account's administrator refused this server's address for 24 hours",
    89507: "the account's administrator refused this server's address for an hour",
}
"""Numbers that no user can help: for the log, in words that the operator can act on."""

_OTHERS: Final[dict[int, str]] = {
    -1: "WeChat is busy",
    40003: "the openid is not one of this mini-program's",
    40014: "the access token is not valid",
    40129: "the scene is not valid",
    42001: "the access token has expired",
    43104: "the openid belongs to another appid",
    44991: "the account's quota for this minute is used up",
    45002: "the text is too long",
    45011: "too many calls this minute",
    61010: "the user has not opened the mini-program for two hours",
}


def meaning(errcode: int) -> str:
    return OPERATOR.get(errcode) or _OTHERS.get(errcode) or "not documented"
