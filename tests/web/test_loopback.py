"""AUTH=local is for direct loopback clients alone: a forgotten setting exposes nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import ClientSession, UnixConnector, web
from aiohttp.test_utils import make_mocked_request

from service.errors import Forbidden
from service.web.identity import Access, guard_of
from service.web.keys import ACCESS_TOKENS, SETTINGS
from service.web.request_context import RequestContext
from tests.web.conftest import Api


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_local_lets_direct_loopback_clients_in(api_app: web.Application, peer: str):
    _admit(api_app, peer, Access.USER)


@pytest.mark.parametrize("peer", ["10.0.0.1", "8.8.8.8", "::ffff:8.8.8.8", "fe80::1%eth0", "::", "", "x"])
def test_local_refuses_all_others(api_app: web.Application, peer: str):
    for access in (Access.USER, Access.SESSION, Access.OPERATOR, Access.BALANCE):
        with pytest.raises(Forbidden):
            _admit(api_app, peer, access)


async def test_local_refuses_who_comes_through_a_unix_socket(api: Api, tmp_path: Path):
    """A proxy would: nothing tells who is behind it."""
    await web.UnixSite(api.client.server.runner, str(tmp_path / "s")).start()  # type: ignore[arg-type]
    async with ClientSession(connector=UnixConnector(str(tmp_path / "s"))) as client:
        answer = await client.get("http://localhost/api/history/ann")
        assert answer.status == 403


@pytest.fixture
async def api_app(api: Api) -> web.Application:
    return api.client.server.app  # type: ignore[union-attr,no-any-return]


def _admit(app: web.Application, peer: str, access: Access) -> None:
    assert app[SETTINGS].auth == "local"
    request = make_mocked_request("GET", "/", app=app).clone(remote=peer)
    guard_of(access)(request, RequestContext(app[SETTINGS], "a-request", peer, None), app[ACCESS_TOKENS])
