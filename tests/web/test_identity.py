"""The ownership walk: every route, every mode of AUTH, and everybody who may come with whatever token."""

from __future__ import annotations

from typing import Any

import pytest

from service.web.identity import Access
from service.web.routes import ROUTES
from tests.web.conftest import Api, Start
from tests.web.ownership import (
    ADMIN,
    ADMINS,
    EVERYBODY,
    NO_TOKEN,
    OWNER,
    OWNERS,
    REACH,
    STRANGERS,
    WORDS,
    Planted,
    Reach,
    bearer,
    mint,
)

GATEWAYS = (
    {"X-Forwarded-For": "127.0.0.1"},
    {"x-forwarded-proto": "https"},
    {"X-Forwarded-Port": "443"},
    {"X-Forwarded-Host": "localhost"},
    {"Forwarded": "for=127.0.0.1"},
    {"X-Real-IP": "127.0.0.1"},
)
WALK = {f"{route.method} {route.path}": route for route in ROUTES}
Walk = dict[tuple[str, str], tuple[int, str]]


async def walk(api: Api, callers: dict[str, dict[str, str]], more: dict[str, str] | None = None) -> Walk:
    """What each caller gets on each route, ann's things being there anew every time."""
    found = {}
    for route in WALK:
        for caller, headers in callers.items():
            planted = await Planted.sow(api)
            found[route, caller] = await planted.reach(api, route, headers | (more or {}))
    return found


def wrong(found: Walk, expected: Any) -> list[str]:
    return [
        f"{caller} gets {status} for {route}: {text[:80]}"
        for (route, caller), (status, text) in found.items()
        if status not in expected(REACH[route], caller)
    ]


def test_every_route_says_what_it_reaches():
    assert set(REACH) == set(WALK)
    for name, route in WALK.items():
        may = {
            Access.PUBLIC: {Reach.NOTHING},
            Access.SESSION: {Reach.SESSION},
            Access.OPERATOR: {Reach.OPERATOR},
        }.get(route.access, {Reach.OPENID, Reach.TURN, Reach.USER})
        assert REACH[name] in may, name
        names_a_user = "{openid}" in route.path or "openid" in getattr(route.takes, "__struct_fields__", ())
        if names_a_user and REACH[name] is not Reach.SESSION:
            assert REACH[name] is Reach.OPENID, name
        if "{turn_id}" in route.path:
            assert REACH[name] is Reach.TURN, name


async def test_with_required_only_the_owner_reaches_what_is_the_owners(start: Start):
    api = await start(AUTH="required", ADMIN_TOKEN=ADMIN, RATE_LIMIT="0", IP_RATE_LIMIT="0")

    def expected(reach: Reach, caller: str) -> tuple[int, ...]:
        if reach is Reach.SESSION:
            return (403, 500)  # refused; login is not set up here
        if reach in (Reach.NOTHING, Reach.OPERATOR) or caller in OWNERS:
            return (200, 400, 404) if reach is Reach.NOTHING else (200,)
        if caller in STRANGERS:
            return {Reach.OPENID: (403,), Reach.TURN: (404,), Reach.USER: (200,)}[reach]
        return (401,)

    found = await walk(api, EVERYBODY)
    assert wrong(found, expected) == []
    assert [key for key, (_, text) in found.items() if WORDS in text and key[1] not in OWNERS] == []


async def test_a_stranger_changes_nothing_of_anothers(start: Start):
    api = await start(AUTH="required", ADMIN_TOKEN=ADMIN)
    planted = await Planted.sow(api)
    for route in WALK:
        for headers in (NO_TOKEN | STRANGERS | ADMINS).values():
            await planted.reach(api, route, headers)
    mine = await api.data(f"/api/history/{OWNER}", headers=OWNERS["the owner"])
    assert [turn["turn_id"] for turn in mine["history"]] == [planted.turn_id]
    assert (await api.data(f"/api/user/{OWNER}", headers=OWNERS["the owner"]))["nickname"] == ""


@pytest.mark.parametrize("mode", ["local", "open"])
async def test_without_required_no_token_refuses_anybody(start: Start, mode: str):
    api = await start(AUTH=mode, ADMIN_TOKEN=ADMIN, RATE_LIMIT="0", IP_RATE_LIMIT="0")

    def expected(reach: Reach, caller: str) -> tuple[int, ...]:
        return {Reach.SESSION: (403, 500), Reach.NOTHING: (200, 400, 404)}.get(reach, (200,))

    assert wrong(await walk(api, EVERYBODY), expected) == []


@pytest.mark.parametrize("gateway", GATEWAYS, ids=str)
async def test_local_refuses_whoever_comes_through_a_gateway(start: Start, gateway: dict[str, str]):
    api = await start(AUTH="local", ADMIN_TOKEN=ADMIN)
    planted = await Planted.sow(api)
    for route in WALK:
        for caller, headers in (OWNERS | STRANGERS | {"nobody": {}}).items():
            status, text = await planted.reach(api, route, headers | gateway)
            if REACH[route] is Reach.NOTHING:
                assert status in (200, 400, 404)
            else:
                assert status == 403, (route, caller)
                assert "AUTH=required" in text or REACH[route] is Reach.OPERATOR


async def test_open_is_open_through_a_gateway_too(start: Start):
    api = await start(AUTH="open", ADMIN_TOKEN=ADMIN)
    status, _ = await (await Planted.sow(api)).reach(api, "GET /api/history/{openid}", GATEWAYS[0])
    assert status == 200


@pytest.mark.parametrize("mode", ["local", "open", "required"])
async def test_what_is_the_operators_takes_the_operators_token_from_elsewhere(start: Start, mode: str):
    api = await start(AUTH=mode, ADMIN_TOKEN=ADMIN, BALANCE_FOR="admin")
    planted = await Planted.sow(api)
    routes = [route for route in WALK if REACH[route] is Reach.OPERATOR] + ["GET /api/balance"]
    for route in routes:
        for caller, headers in EVERYBODY.items():
            status, _ = await planted.reach(api, route, headers | GATEWAYS[0])
            assert status == (200 if caller in ADMINS else 403), (route, caller)
        assert (await planted.reach(api, route, {}))[0] == 200


async def test_without_an_admin_token_an_empty_one_opens_nothing(start: Start):
    api = await start(AUTH="open")
    for headers in ({"Authorization": "Bearer "}, {"token": ""}, bearer("None")):
        async with api.client.get("/metrics", headers=headers | GATEWAYS[0]) as response:
            assert response.status == 403


async def test_with_required_the_token_names_the_user_where_the_body_does_not(start: Start):
    api = await start(AUTH="required")
    ask = {"messages": [{"role": "user", "content": "hi"}]}
    await api.data("/api/chat", ask, headers=OWNERS["the owner"])
    assert len((await api.data(f"/api/history/{OWNER}", headers=OWNERS["the owner"]))["history"]) == 1


async def test_another_users_conversation_is_not_gone_on_with(start: Start):
    api = await start(AUTH="required")
    hers = await api.chat(WORDS, headers=OWNERS["the owner"])
    ask = {"messages": [{"role": "user", "content": "go on"}], "conversation_id": hers["conversation_id"]}
    status, envelope = await api.post("/api/chat", ask, headers=bearer(mint("bob")))
    assert (status, envelope["data"]["type"]) == (404, "conversation_not_found")


@pytest.mark.parametrize("openid", ["", "a" * 129, "a\x00b", "a\nb", "a\u2028b", 7, ["ann"]])
async def test_an_openid_is_a_short_text_that_can_be_printed(api: Api, openid: Any):
    ask = {"openid": openid, "messages": [{"role": "user", "content": "hi"}]}
    status, envelope = await api.post("/api/chat", ask)
    assert (status, envelope["data"].get("field")) == (400, "openid")
