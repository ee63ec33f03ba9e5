"""Wrong values everywhere else than in a chat: the other bodies, paths and queries."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from yarl import URL

from tests.fakes.upstream import FakeUpstream
from tests.web.conftest import Api
from tests.web.refusals import check_refusal

PICTURE = "https://pictures.example/a.png"
BAD_BODIES: list[tuple[str, Any, str, str]] = [
    ("/api/image", {}, "missing_field", "prompt"),
    ("/api/image", {"prompt": ""}, "invalid_field", "prompt"),
    ("/api/image", {"prompt": ["a cat"]}, "invalid_field", "prompt"),
    ("/api/image", {"prompt": "x" * 32_001}, "invalid_field", "prompt"),
    *(("/api/image", {"prompt": "a cat", "n": n}, "invalid_field", "n") for n in (0, 11, -1, 1.5, "1", True, 10**40)),
    *(
        ("/api/image", {"prompt": "a cat", "size": size}, "invalid_field", "size")
        for size in ("", "big", "1024", "1024x", "0x1024", "1024X1024", "99999x1", "-1x1", "1e3x1e3", "１x１", 1024, {})
    ),
    ("/api/image", {"prompt": "a cat", "images": PICTURE}, "invalid_field", "images"),
    ("/api/image", {"prompt": "a cat", "images": [PICTURE] * 11}, "invalid_field", "images"),
    ("/api/image", {"prompt": "a cat", "images": [PICTURE, 5]}, "invalid_field", "images[1]"),
    ("/api/image", {"prompt": "a cat", "images": [PICTURE, "file:///etc/passwd"]}, "temporary_path", "images[1]"),
    ("/api/image", {"prompt": "a cat", "images": [PICTURE, "http://x/a.png"]}, "invalid_field", "images[1]"),
    ("/api/image", {"prompt": "a cat", "response_format": "jpg"}, "invalid_field", "response_format"),
    ("/api/image", {"prompt": "a cat", "async": "yes"}, "invalid_field", "async"),
    ("/api/image", {"prompt": "a cat", "openid": ""}, "invalid_field", "openid"),
    ("/api/image", {"prompt": "a cat", "model": "other"}, "model_not_allowed", "model"),
    ("/api/user/ann", {"nickname": 5}, "invalid_field", "nickname"),
    ("/api/user/ann", {"nickname": "x" * 65}, "invalid_field", "nickname"),
    ("/api/user/ann", {"nickname": "a\0b"}, "invalid_field", "nickname"),
    ("/api/user/ann", {"email": "ann"}, "invalid_field", "email"),
    ("/api/user/ann", {"avatar": "javascript:alert(1)"}, "invalid_field", "avatar"),
    ("/api/history/ann/clear", {"conversation_id": "a\0b"}, "invalid_field", "conversation_id"),
    ("/api/history/ann/clear", {"conversation_id": 5}, "invalid_field", "conversation_id"),
    ("/api/token/refresh", {"refreshToken": 5}, "invalid_field", "refreshToken"),
    ("/api/token/refresh", {"openid": "a\0b"}, "invalid_field", "openid"),
    ("/api/login", {}, "missing_field", "code"),
    ("/api/login", {"code": "x" * 513}, "invalid_field", "code"),
]
BAD_QUERIES = {
    "/api/history/ann": {
        "limit": ["0", "101", "-1", "1.5", "", "x", "nan", "%00", "true", "9" * 5000, "%F0%9D%9F%90"],
        "before": ["%00", "x" * 65, "%ff", "a%20b", "%ed%a0%80"],
        "conversation_id": ["", "%00", "../x", "x" * 65],
    },
    "/api/history/ann/conversations": {"limit": ["0", "101"], "before": ["%00"]},
    "/api/turns/x": {"wait": ["0", "56", "nan", "inf", "-1", "x"], "stream": ["maybe", "2"]},
    "/api/files/x.png": {"expires": ["x", "%00", "-1"]},
}
BAD_IDS = ["%00", "a%00b", "a%0d%0ab", "a%7f", "%e2%80%ae", "x" * 129, "x" * 7000]
USER_PATHS: list[Callable[[str], str]] = [
    "/api/history/{}".format,
    "/api/history/{}/conversations".format,
    "/api/user/{}".format,
]
NOTHING_THERE = [
    "/api/turns/%00",
    "/api/turns/" + "x" * 7000,
    "/api/turns/%ff%fe",
    "/api/turns/%zz",
    "/docs/..%2f..%2fsetup.cfg",
    "/docs/%00",
    "/api/files/..%2f..%2fservice.db?expires=1&signature=" + "0" * 32,
    "/api/files/%00?expires=1&signature=" + "0" * 32,
    "/api/history/",
    "/api/history/ann/",
    "/api/history/ann/nothing",
    "/../../setup.cfg",
    "/API/CHAT",
]


@pytest.mark.parametrize(("path", "body", "type", "field"), BAD_BODIES)
async def test_every_body_is_checked(api: Api, upstream: FakeUpstream, path: str, body: Any, type: str, field: str):
    async with api.client.post(path, json=body) as response:
        await check_refusal(response, 400, type, field)
    assert not upstream.calls


@pytest.mark.parametrize(
    "path",
    [
        "/api/image",
        "/api/user/ann",
        "/api/history/ann/clear",
        "/api/token/refresh",
        "/api/login",
    ],
)
async def test_every_body_must_be_json(api: Api, path: str):
    for body in (b"hello", b"[" * 16_000, b'{"x":' * 3000, b"\xff\xfe"):
        headers = {"Content-Type": "application/json"}
        async with api.client.post(path, data=BytesIO(body), headers=headers) as response:
            envelope = await response.json()
            assert (response.status, envelope["code"]) == (400, 400)
            assert envelope["data"]["type"] in ("invalid_json", "invalid_request")
    async with api.client.post(path, data={"a": "b"}) as response:
        await check_refusal(response, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [(path, field, value) for path, fields in BAD_QUERIES.items() for field in fields for value in fields[field]],
)
async def test_a_bad_query_value_is_named(api: Api, path: str, field: str, value: str):
    async with api.client.get(URL(f"{path}?{field}={value}", encoded=True)) as response:
        await check_refusal(response, 400, "invalid_field", field)


async def test_a_query_of_two_thousand_fields_is_only_long(api: Api):
    await api.data("/api/history/ann?" + "a=1&" * 1900)


@pytest.mark.parametrize("openid", BAD_IDS)
async def test_a_bad_openid_in_a_path_is_named(api: Api, openid: str):
    for path in USER_PATHS:
        async with api.client.get(URL(path(openid), encoded=True)) as response:
            await check_refusal(response, 400, "invalid_field", "openid")
    for path in ("/api/history/{}/clear", "/api/user/{}", "/api/user/{}/erase"):
        async with api.client.post(URL(path.format(openid), encoded=True), json={}) as response:
            await check_refusal(response, 400, "invalid_field", "openid")


@pytest.mark.parametrize(
    "openid", ["%ff%fe", "%zz", "%", "a%2Fb", "%E4%BD%A0", "a;b", "a%252Fb", "%20", "'%20OR%201=1--"]
)
async def test_an_odd_openid_is_somebody_without_a_history(api: Api, openid: str):
    await api.chat(openid="ann")
    async with api.client.get(URL(f"/api/history/{openid}", encoded=True)) as response:
        assert (await response.json())["data"] == {"history": [], "next": None}


@pytest.mark.parametrize("path", NOTHING_THERE)
async def test_a_place_where_nothing_is_gives_a_404(api: Api, path: str):
    async with api.client.get(URL(path, encoded=True)) as response:
        envelope = await response.json()
    assert (response.status, envelope["code"]) == (404, 404)
    assert envelope["data"]["type"] in ("route_not_found", "turn_not_found", "file_not_found")


@pytest.mark.parametrize("key", ["a b", "x" * 129, "ключ", ""])
async def test_a_bad_idempotency_key_is_named(api: Api, key: str):
    body = {"openid": "ann", "messages": [{"role": "user", "content": "hi"}]}
    async with api.client.post("/api/chat", json=body, headers={"Idempotency-Key": key}) as response:
        await check_refusal(response, 400, "invalid_field", "Idempotency-Key")
