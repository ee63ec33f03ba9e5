"""What every route reaches, who may come and ask for it, and the request that tries: for the ownership walk."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import jwt
from aiohttp import FormData

from tests.fakes.upstream import PNG
from tests.web.conftest import SECRET, Api

ADMIN = "planted-admin-token-of-the-tests"
OWNER = "ann"
WORDS = "planted words of ann"


class Reach(Enum):
    """How a call comes to what is somebody's."""

    OPENID = auto()  # names the user, in its path or body
    TURN = auto()  # names a turn by its id
    SESSION = auto()  # gives a token for a proof that is in the call
    OPERATOR = auto()
    USER = auto()  # is for users, and nothing of one of them
    NOTHING = auto()  # is for everybody: nothing of a user is told or done; a file's link is the proof


REACH = {
    "POST /api/chat": Reach.OPENID,
    "POST /api/image": Reach.OPENID,
    "GET /api/turns/{turn_id}": Reach.TURN,
    "POST /api/turns/{turn_id}/stop": Reach.TURN,
    "POST /api/files": Reach.OPENID,
    "GET /api/files/{name}": Reach.NOTHING,
    "GET /api/history/{openid}": Reach.OPENID,
    "GET /api/history/{openid}/conversations": Reach.OPENID,
    "POST /api/history/{openid}/clear": Reach.OPENID,
    "GET /api/user/{openid}": Reach.OPENID,
    "POST /api/user/{openid}": Reach.OPENID,
    "POST /api/user/{openid}/erase": Reach.OPENID,
    "POST /api/login": Reach.SESSION,
    "POST /api/token/refresh": Reach.SESSION,
    "GET /api/balance": Reach.USER,
    "GET /healthz": Reach.NOTHING,
    "GET /readyz": Reach.NOTHING,
    "GET /metrics": Reach.OPERATOR,
    "GET /openapi.json": Reach.NOTHING,
    "GET /docs": Reach.NOTHING,
    "GET /docs/{asset}": Reach.NOTHING,
    "GET /": Reach.NOTHING,
    "GET /playground/{part}": Reach.NOTHING,
    "GET /playground/vendor/{library}": Reach.NOTHING,
    "GET /chat-client.js": Reach.NOTHING,
    "GET /chat-client.cjs": Reach.NOTHING,
    "GET /chat-client.d.ts": Reach.NOTHING,
}
"""Every route must be here: say of a new one what it reaches, and the walk tries it."""


def mint(openid: str, *, secret: str = SECRET, seconds: int = 600, algorithm: str = "HS256", **claims: Any) -> str:
    """A token as the operator's own backend makes it."""
    return jwt.encode({"sub": openid, "exp": int(time.time()) + seconds, **claims}, secret, algorithm=algorithm)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


NO_TOKEN = {
    "nobody": {},
    "nobody yet": {"Authorization": "Bearer ", "token": ""},
    "one whom a gateway's header names": {"X-WX-OPENID": OWNER, "X-WX-UNIONID": OWNER, "X-OpenID": OWNER},
    "one with a stale token": bearer(mint(OWNER, seconds=-1)),
    "one with a forged token": bearer(mint(OWNER, secret="another-secret-of-somebody-0123456789")),
    "one with an unsigned token": bearer(mint(OWNER, secret="", algorithm="none")),
    "one with letters for a token": {"token": "\u00ff\u00fe"},
}
STRANGERS = {"a stranger": bearer(mint("bob")), "a stranger by the other header": {"token": mint("bob")}}
OWNERS = {
    "the owner": bearer(mint(OWNER)),
    "the owner by the other header": {"token": mint(OWNER), "Authorization": "Bearer "},
}
ADMINS = {"the operator": bearer(ADMIN)}
EVERYBODY = NO_TOKEN | STRANGERS | ADMINS | OWNERS


@dataclass(frozen=True)
class Planted:
    """What ann has."""

    turn_id: str

    @classmethod
    async def sow(cls, api: Api) -> Planted:
        return cls((await api.chat(WORDS, headers=OWNERS["the owner"]))["turn_id"])

    async def reach(self, api: Api, route: str, headers: dict[str, str]) -> tuple[int, str]:
        """Try a route for what is ann's: the status, and the text of the answer."""
        method, path = route.split(" ")
        names = {"openid": OWNER, "turn_id": self.turn_id}
        path = re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], "none"), path)
        async with api.client.request(method, path, headers=headers, **_body(route)) as response:
            return response.status, await response.text()


def _body(route: str) -> dict[str, Any]:
    if route == "POST /api/files":
        form = FormData({"openid": OWNER})
        form.add_field("file", PNG, filename="a.png")
        return {"data": form}
    bodies: dict[str, Any] = {
        "POST /api/chat": {"openid": OWNER, "messages": [{"role": "user", "content": WORDS}]},
        "POST /api/image": {"openid": OWNER, "prompt": WORDS},
        "POST /api/user/{openid}": {"nickname": "Ann"},
        "POST /api/login": {"code": "no code of WeChat's"},
        "POST /api/token/refresh": {"refreshToken": "nothing of ours"},
    }
    return {"json": bodies.get(route, {})} if route.startswith("POST") else {}
