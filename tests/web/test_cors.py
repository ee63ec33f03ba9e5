"""CORS headers are on every kind of answer, or a browser hides from the page what went wrong."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import ClientResponse, web

from tests.fakes.upstream import Answer, FakeUpstream
from tests.web.conftest import Api, Start

ORIGIN = "https://app.example"
PAGE = {"Origin": ORIGIN}
CHAT: dict[str, Any] = {"openid": "ann", "messages": [{"role": "user", "content": "hi"}]}
EXPOSED = {"X-Request-ID", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"}
ANSWERS: list[tuple[str, str, dict[str, Any], int]] = [
    ("GET", "/api/user/ann", {}, 200),
    ("GET", "/healthz", {}, 200),
    ("GET", "/openapi.json", {}, 200),
    ("GET", "/docs", {}, 200),
    ("POST", "/api/chat", {"json": CHAT}, 200),
    ("POST", "/api/chat", {"json": CHAT | {"stream": True}}, 200),
    ("POST", "/api/chat", {"data": b"{", "headers": {"Content-Type": "application/json"}}, 400),
    ("GET", "/api/user/ann", {"headers": {"X-Forwarded-For": "203.0.113.9"}}, 403),
    ("GET", "/nothing", {}, 404),
    ("GET", "/api/turns/nothing", {}, 404),
    ("GET", "/api/chat", {}, 405),
    ("PUT", "/api/user/ann", {}, 405),
    ("POST", "/api/chat", {"json": {"x": "x" * 3000}}, 413),
    ("POST", "/api/chat", {"data": {"form": "yes"}}, 415),
    ("GET", "/fails", {}, 500),
]


async def fail(request: web.Request) -> web.StreamResponse:
    raise ValueError


def preflight(method: str = "POST", headers: str = "content-type,authorization,token", origin: str = ORIGIN) -> Any:
    return {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}


def check_open(response: ClientResponse, origin: str = ORIGIN) -> None:
    """A page of this origin may read the answer, and a cache keeps it apart from other origins'."""
    assert response.headers.getall("Access-Control-Allow-Origin") == [origin]
    assert "Origin" in response.headers.getall("Vary")
    assert "Access-Control-Allow-Credentials" not in response.headers


def check_closed(response: ClientResponse) -> None:
    assert not [name for name in response.headers if name.startswith("Access-Control-")]
    assert "Origin" in response.headers.getall("Vary")


async def request(api: Api, method: str, path: str, options: dict[str, Any], origin: dict[str, str]) -> ClientResponse:
    headers = {**options.get("headers", {}), **origin}
    response = await api.client.request(method, path, **{**options, "headers": headers})
    await response.read()
    return response


@pytest.mark.parametrize(("method", "path", "options", "status"), ANSWERS)
async def test_every_answer_may_be_read(start: Start, method: str, path: str, options: dict[str, Any], status: int):
    api = await start(MAX_BODY_BYTES="2000", routes=[web.get("/fails", fail)])
    response = await request(api, method, path, options, PAGE)
    assert response.status == status
    check_open(response)
    assert set(response.headers["Access-Control-Expose-Headers"].replace(" ", "").split(",")) >= EXPOSED


@pytest.mark.parametrize(("method", "path", "options", "status"), ANSWERS)
async def test_an_origin_that_is_not_listed_may_read_none(
    start: Start, method: str, path: str, options: dict[str, Any], status: int
):
    api = await start(MAX_BODY_BYTES="2000", CORS_ORIGINS="https://other.example", routes=[web.get("/fails", fail)])
    response = await request(api, method, path, options, PAGE)
    assert response.status == status
    check_closed(response)


async def test_an_upstream_failure_may_be_read(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.html())
    response = await request(api, "POST", "/api/chat", {"json": CHAT}, PAGE)
    assert response.status == 500
    check_open(response)


async def test_a_limit_may_be_read(start: Start):
    api = await start(RATE_LIMIT="1/minute")
    await api.chat()
    response = await request(api, "POST", "/api/chat", {"json": CHAT}, PAGE)
    assert response.status == 429
    check_open(response)


async def test_without_an_origin_nothing_is_said_of_it(api: Api):
    for path in ("/healthz", "/nothing", "/api/chat"):
        check_closed(await request(api, "GET", path, {}, {}))


@pytest.mark.parametrize(
    "path", ["/api/chat", "/api/user/ann", "/api/files/x.png", "/healthz", "/nothing", "/api/chat/"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_preflight_is_answered_whatever_the_path(api: Api, path: str, method: str):
    response = await request(api, "OPTIONS", path, {}, preflight(method))
    assert response.status == 200
    check_open(response)
    assert method in response.headers["Access-Control-Allow-Methods"]
    allowed = response.headers["Access-Control-Allow-Headers"].lower().replace(" ", "")
    assert set(allowed.split(",")) == {"content-type", "authorization", "token"}
    assert int(response.headers["Access-Control-Max-Age"]) > 0


async def test_a_preflight_without_headers_is_answered(api: Api):
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    for path in ("/api/user/ann", "/nothing"):
        response = await request(api, "OPTIONS", path, {}, headers)
        assert response.status == 200
        check_open(response)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "X"])
async def test_a_preflight_does_not_promise_a_method_that_is_not_there(api: Api, method: str):
    response = await request(api, "OPTIONS", "/api/user/ann", {}, preflight(method))
    assert method not in response.headers.get("Access-Control-Allow-Methods", "").split(", ")


@pytest.mark.parametrize("path", ["/api/chat", "/nothing"])
async def test_a_preflight_of_an_origin_that_is_not_listed_promises_nothing(start: Start, path: str):
    api = await start(CORS_ORIGINS="https://other.example")
    check_closed(await request(api, "OPTIONS", path, {}, preflight()))


@pytest.mark.parametrize("origin", ["https://a.example", "http://localhost:5173"])
async def test_each_listed_origin_is_let_in(start: Start, origin: str):
    api = await start(CORS_ORIGINS="https://A.example, http://localhost:5173")
    for method, path, more in (
        ("GET", "/healthz", {}),
        ("GET", "/nothing", {}),
        ("OPTIONS", "/api/chat", preflight(origin=origin)),
    ):
        check_open(await request(api, method, path, {}, {"Origin": origin, **more}), origin)


@pytest.mark.parametrize(
    "origin",
    ["https://a.example.evil", "https://evil-a.example", "http://a.example", "https://a.example:8443", "null", ""],
)
async def test_what_only_looks_like_a_listed_origin_is_not_let_in(start: Start, origin: str):
    api = await start(CORS_ORIGINS="https://a.example")
    for path in ("/healthz", "/nothing"):
        check_closed(await request(api, "GET", path, {}, {"Origin": origin}))


async def test_what_an_answer_varies_with_beside_the_origin_stays(start: Start):
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(headers={"Vary": "Accept-Encoding"})

    api = await start(routes=[web.get("/varies", answer)])
    async with api.client.get("/varies") as response:
        assert sorted(response.headers.getall("Vary")) == ["Accept-Encoding", "Origin"]


async def test_a_preflight_is_counted_with_its_route(api: Api):
    async with api.client.options("/api/chat", headers=preflight()) as response:
        assert response.status == 200
    async with api.client.get("/metrics") as response:
        assert 'http_request_seconds_count{code="200",route="/api/chat"} 1.0' in await response.text()


async def test_options_without_a_preflight_tells_the_methods(api: Api):
    response = await request(api, "OPTIONS", "/api/user/ann", {}, {})
    assert response.status == 200
    assert set(response.headers["Allow"].split(", ")) == {"GET", "POST", "OPTIONS"}
    assert (await request(api, "OPTIONS", "/nothing", {}, {})).status == 404
