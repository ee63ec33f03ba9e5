"""A body that is wrong in any way is a 4xx that names the place: never a 500, never a turn, never a call upstream."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest

from tests.fakes.upstream import FakeUpstream
from tests.web.conftest import Api
from tests.web.refusals import check_refusal

GOOD: dict[str, Any] = {"openid": "ann", "messages": [{"role": "user", "content": "hi"}]}
JSON = {"Content-Type": "application/json"}


def chat(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def said(content: Any) -> bytes:
    """A chat whose third message has this content."""
    return chat(messages=[*GOOD["messages"] * 2, {"role": "user", "content": content}])


def with_number(field: str, text: str) -> bytes:
    """A chat with a number written as no JSON library would."""
    return chat()[:-1] + f', "{field}": {text}}}'.encode()


NO_JSON = {
    "prose": b"hello",
    "cut off": chat()[:-5],
    "more behind it": chat() + b"x",
    "single quotes": b"{'openid': 'ann'}",
    "not a number": with_number("temperature", "NaN"),
    "infinity": with_number("temperature", "-Infinity"),
    "200,000 objects": b'{"x":' * 200_000,
    "200,000 brackets in a field that is ignored": with_number("x", "[" * 200_000 + "]" * 200_000),
    "half a surrogate pair": chat(messages=[{"role": "user", "content": "\ud83d"}]),
    "half a pair in an id": chat(openid="ann\udc00"),
    "a surrogate as bytes": chat().replace(b"hi", b"\xed\xa0\x80"),
    "GBK": '{"openid":"小明","messages":[{"role":"user","content":"你好"}]}'.encode("gbk"),
    "UTF-16": chat().decode().encode("utf-16"),
    "latin-1": chat().replace(b"hi", b"\xe9t\xe9"),
    "a zero byte in an id": chat().replace(b"ann", b"a\0n"),
}
NO_OBJECT = {"an array": b"[]", "200,000 brackets": b"[" * 200_000, "null": b"null", "a number": b"5", "text": b'"x"'}
BAD_FIELDS = [
    (b"", "missing_field", "messages"),
    (b"{}", "missing_field", "messages"),
    (b'{"messages":null,"openid":"ann"}', "invalid_field", "messages"),
    (b'{"messages":[{"role":"user","content":"hi"}]}', "missing_field", "openid"),
    (b'{"openid":"ann","messages":5,"messages":[]}', "invalid_field", "messages"),
    (chat()[:-1] + b',"messages":5}', "invalid_field", "messages"),
    (chat(openid=5), "invalid_field", "openid"),
    (chat(openid=""), "invalid_field", "openid"),
    (chat(openid="x" * 129), "invalid_field", "openid"),
    (chat(openid="a\0b"), "invalid_field", "openid"),
    (chat(openid="a\nb"), "invalid_field", "openid"),
    (chat(openid="a\u202eb"), "invalid_field", "openid"),
    (chat(messages={}), "invalid_field", "messages"),
    (chat(messages="hi"), "invalid_field", "messages"),
    (chat(messages=[]), "invalid_field", "messages"),
    (chat(messages=GOOD["messages"] * 1001), "invalid_field", "messages"),
    (chat(messages=["hi"]), "invalid_field", "messages[0]"),
    (chat(messages=[[[]]]), "invalid_field", "messages[0]"),
    (chat(messages=[{"content": "hi"}]), "missing_field", "messages[0].role"),
    (chat(messages=[{"role": "root", "content": "hi"}]), "invalid_field", "messages[0].role"),
    (chat(messages=[{"role": "user"}]), "missing_field", "messages[0].content"),
    (said(None), "invalid_field", "messages[2].content"),
    (said(5), "invalid_field", "messages[2].content"),
    (said({}), "invalid_field", "messages[2].content"),
    (said([]), "invalid_field", "messages[2].content"),
    (said(["hi"]), "invalid_field", "messages[2].content[0]"),
    (said([{"text": "hi"}]), "missing_field", "messages[2].content[0].type"),
    (said([{"type": "video"}]), "invalid_field", "messages[2].content[0].type"),
    (said([{"type": 5}]), "invalid_field", "messages[2].content[0].type"),
    (said([{"type": "text"}]), "missing_field", "messages[2].content[0].text"),
    (said([{"type": "text", "text": 5}]), "invalid_field", "messages[2].content[0].text"),
    (said([{"type": "image_url", "image_url": "https://x/y"}]), "invalid_field", "messages[2].content[0].image_url"),
    (said([{"type": "image_url", "image_url": {}}]), "missing_field", "messages[2].content[0].image_url.url"),
    (
        said([{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "ftp://x"}}]),
        "invalid_field",
        "messages[2].content[1].image_url.url",
    ),
    (chat(temperature="1"), "invalid_field", "temperature"),
    (chat(temperature=2.1), "invalid_field", "temperature"),
    (chat(temperature=-0.1), "invalid_field", "temperature"),
    (with_number("temperature", "1e999"), "invalid_field", "temperature"),
    (chat(top_p=1.1), "invalid_field", "top_p"),
    (chat(top_p=True), "invalid_field", "top_p"),
    (chat(max_tokens=0), "invalid_field", "max_tokens"),
    (chat(max_tokens=1.5), "invalid_field", "max_tokens"),
    (with_number("max_tokens", "9" * 5000), "invalid_field", "max_tokens"),
    (chat(stream="yes"), "invalid_field", "stream"),
    (chat(stream=1), "invalid_field", "stream"),
    (chat(wait=0), "invalid_field", "wait"),
    (chat(wait=56), "invalid_field", "wait"),
    (chat(model=5), "invalid_field", "model"),
    (chat(model=""), "invalid_field", "model"),
    (chat(model="\0"), "model_not_allowed", "model"),
    (chat(conversation_id="a\n"), "invalid_field", "conversation_id"),
    (chat(conversation_id="a\0b"), "invalid_field", "conversation_id"),
    (chat(conversation_id="../x"), "invalid_field", "conversation_id"),
    (chat(conversation_id="x" * 65), "invalid_field", "conversation_id"),
    (chat(conversation_id=5), "invalid_field", "conversation_id"),
    (chat(client_id="a b"), "invalid_field", "client_id"),
    (chat(client_id="x" * 129), "invalid_field", "client_id"),
    (chat(client_id=""), "invalid_field", "client_id"),
]
UNDERSTOOD = {
    "a byte order mark": b"\xef\xbb\xbf" + chat(),
    "fields nobody knows": chat(x={"deep": [1, 2]}),
    "a huge number nobody looks at": with_number("x", "9" * 100_000),
    "null is nothing": chat(stream=None, wait=None, model=None, temperature=None, conversation_id=None),
    "the last of two keys": chat().replace(b'"openid"', b'"openid": "bob", "openid"'),
    "zero bytes in a text": chat(messages=[{"role": "user", "content": "h\0i"}]),
}


async def post(api: Api, body: bytes, path: str = "/api/chat", headers: Any = JSON) -> Any:
    return await api.client.post(path, data=BytesIO(body), headers=headers)


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
async def test_what_is_no_json_in_utf8_is_told_so(api: Api, upstream: FakeUpstream, body: bytes):
    await check_refusal(await post(api, body), 400, "invalid_json")
    assert not upstream.calls
    assert not await api.history()


@pytest.mark.parametrize("body", NO_OBJECT.values(), ids=NO_OBJECT)
async def test_json_that_is_no_object_is_a_malformed_request(api: Api, body: bytes):
    await check_refusal(await post(api, body), 400, "invalid_request")


@pytest.mark.parametrize(("body", "type", "field"), BAD_FIELDS, ids=range(len(BAD_FIELDS)))
async def test_a_bad_field_is_named_by_its_path(api: Api, upstream: FakeUpstream, body: bytes, type: str, field: str):
    await check_refusal(await post(api, body), 400, type, field)
    assert not upstream.calls
    assert not await api.history()


@pytest.mark.parametrize("body", UNDERSTOOD.values(), ids=UNDERSTOOD)
async def test_what_is_only_odd_is_understood(api: Api, body: bytes):
    response = await post(api, body)
    assert response.status == 200, await response.text()
    assert len(await api.history("ann")) == 1


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/jsonp",
        "application/json; charset=gbk",
        "application/json; charset=utf-16",
        "json",
        ",",
    ],
)
async def test_another_media_type_is_a_415(api: Api, content_type: str):
    await check_refusal(await post(api, chat(), headers={"Content-Type": content_type}), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type",
    [
        "APPLICATION/JSON",
        "application/json;charset=UTF8",
        "application/vnd.api+json",
        'application/json; charset="utf-8"',
    ],
)
async def test_json_by_any_of_its_names_is_taken(api: Api, content_type: str):
    assert (await post(api, chat(), headers={"Content-Type": content_type})).status == 200
