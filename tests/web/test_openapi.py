"""The OpenAPI document: complete, true to the routes, and its examples are sent and held against it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from fnmatch import fnmatch
from typing import Any

import jsonschema_rs
import pytest
from aiohttp import ClientResponse, FormData

from service.web import openapi_answers, openapi_examples, openapi_parameters, openapi_texts
from service.web.openapi import document
from service.web.routes import ROUTES, Route
from tests.fakes.upstream import Answer, FakeUpstream
from tests.fakes.wechat import FakeWeChat
from tests.web.conftest import Api, Start
from tests.web.event_reader import Event, joined, parse, read_events

TEXTS = openapi_texts.ROUTE_TEXTS
NAMED = {f"{route.method} {route.path}": route for route in ROUTES}
# A route that is without its texts fails a test of its own, and not all of them.
DOCUMENT = document([route for key, route in NAMED.items() if key in TEXTS])
BODIES = [
    pytest.param(NAMED[key], name, id=f"{key} {name}")
    for key, told in TEXTS.items()
    for name in told.bodies
    if key in NAMED
]
BARE = [pytest.param(NAMED[key], id=key) for key, told in TEXTS.items() if key in NAMED and not told.bodies]


def operation_of(route: Route) -> dict[str, Any]:
    return dict(DOCUMENT["paths"][route.path][route.method.lower()])


def complaints(schema: dict[str, Any], answer: Any) -> list[str]:
    """What is wrong with an answer by a schema of the document."""
    validator = jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]})
    return [error.message for error in validator.iter_errors(answer)]


def success_of(route: Route) -> dict[str, Any]:
    """The media types of a route's success, and what is said of each."""
    return dict(operation_of(route)["responses"]["200"]["content"])


# What it says


def test_every_route_has_its_texts_and_no_text_is_without_a_route():
    assert set(TEXTS) == set(NAMED)


def test_every_route_is_in_the_document():
    said = {f"{method.upper()} {path}" for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert said == set(NAMED)


@pytest.mark.parametrize("key", NAMED)
def test_every_route_has_a_summary_in_chinese_and_in_english_and_a_tag(key: str):
    told = TEXTS[key]
    assert any("\u4e00" <= letter <= "\u9fff" for letter in told.zh)
    assert told.en.isascii()
    assert told.en
    assert told.tag in openapi_texts.TAGS


@pytest.mark.parametrize("key", NAMED)
def test_examples_are_of_the_types_that_check_and_shape(key: str):
    route, told = NAMED[key], TEXTS[key]
    assert bool(told.bodies) == (route.takes is not None)
    assert all(type(body) is route.takes for body in told.bodies.values())
    if route.gives:
        assert type(told.answer) is route.gives
    assert (told.answer is None) == bool(told.media)


def test_every_path_parameter_is_described_and_none_is_left_over():
    used = {name for route in ROUTES for name in openapi_parameters.path_names(route.path)}
    assert set(openapi_texts.PATH_PARAMETERS) == used


def test_operations_have_names_of_their_own():
    names = [operation_of(route)["operationId"] for route in ROUTES]
    assert len(set(names)) == len(names)


def test_everything_that_is_referred_to_is_there():
    def references(part: Any) -> set[str]:
        if isinstance(part, list):
            return set().union(*map(references, part)) if part else set()
        if not isinstance(part, dict):
            return set()
        own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
        return own.union(*map(references, part.values()))

    for reference in references(DOCUMENT):
        found: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


def test_a_query_is_described_by_the_type_that_checks_it():
    parameters = operation_of(NAMED["GET /api/history/{openid}"])["parameters"]
    limit = next(parameter for parameter in parameters if parameter.get("name") == "limit")
    assert limit["in"] == "query"
    assert limit["required"] is False
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}


def test_a_body_is_described_by_the_type_that_checks_it():
    schema = DOCUMENT["components"]["schemas"]["ChatRequest"]
    assert schema["required"] == ["messages"]
    assert schema["properties"]["temperature"] == {"type": ["number", "null"], "minimum": 0, "maximum": 2}


def test_only_idempotent_routes_may_answer_422_and_they_tell_of_the_key():
    for route in ROUTES:
        operation = operation_of(route)
        takes_key = {"$ref": "#/components/parameters/Idempotency-Key"} in operation["parameters"]
        assert ("422" in operation["responses"]) == takes_key == (route.path in ("/api/chat", "/api/image"))


def test_what_counts_against_the_rates_may_answer_429_and_tells_what_is_left():
    for route in ROUTES:
        answers = operation_of(route)["responses"]
        assert not route.is_counted or "429" in answers
        assert route.is_counted == ("RateLimit-Remaining" in answers["200"]["headers"])


def test_streams_are_described_where_they_can_be_asked_for():
    streaming = [key for key, route in NAMED.items() if "text/event-stream" in success_of(route)]
    assert streaming == ["POST /api/chat", "GET /api/turns/{turn_id}"]


# Its examples


@pytest.mark.parametrize("key", [key for key, told in TEXTS.items() if not told.media])
def test_the_example_of_an_answer_fits_its_schema(key: str):
    content = success_of(NAMED[key])["application/json"]
    assert complaints(content["schema"], content["example"]) == []


@pytest.mark.parametrize("code", openapi_answers.failures())
def test_the_example_of_a_failure_fits_its_schema(code: str):
    content = DOCUMENT["components"]["responses"][code]["content"]["application/json"]
    assert complaints(content["schema"], content["example"]) == []
    assert complaints(content["schema"], {"code": int(code), "msg": "no", "data": {}}) != []


async def test_the_example_of_a_stream_is_made_as_a_real_one(api: Api):
    told = [(event.name, event.id is not None, set(event.data)) for event in events_of_the_example()]
    real = [(event.name, event.id is not None, set(event.data)) for event in await api.stream("hi")]
    assert told == real


async def test_real_events_fit_the_schema_of_an_event(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.stream({"reasoning_content": "let me see"}, "hel", "lo"))
    upstream.answer_with(Answer.stream("hel", finish_reason=None, done=False).cut_after())
    events = [*events_of_the_example(), *await api.stream(), *await api.stream()]
    assert {event.name for event in events} == {"start", "reasoning", "delta", "done", "error"}
    for event in events:
        assert complaints_of_event(event) == []
    assert complaints_of_event(events[0]._replace(name="delta")) != []


def events_of_the_example() -> list[Event]:
    return [parse(block) for block in openapi_examples.EVENTS.encode().removesuffix(b"\n\n").split(b"\n\n")]


def complaints_of_event(event: Event) -> list[str]:
    """What is wrong with an event, and with what its data holds."""
    fields = {"event": event.name, "data": "", **({"id": event.id} if event.id else {})}
    kinds = DOCUMENT["components"]["schemas"]["Event"]["oneOf"]
    (kind,) = [kind for kind in kinds if kind["properties"]["event"]["const"] == event.name]
    return [*complaints(kind, fields), *complaints(kind["properties"]["data"]["contentSchema"], event.envelope)]


@pytest.fixture
async def wechat() -> AsyncIterator[FakeWeChat]:
    async with FakeWeChat() as fake:
        yield fake


@pytest.fixture
async def complete(start: Start, wechat: FakeWeChat) -> Api:
    """A service where everything that is documented can succeed."""
    return await start(**wechat.variables)


@pytest.mark.parametrize(("route", "name"), BODIES)
async def test_an_example_request_is_answered_as_documented(complete: Api, wechat: FakeWeChat, route: Route, name: str):
    body = operation_of(route)["requestBody"]["content"]["application/json"]["examples"][name]["value"]
    if "code" in body:
        # A code of wx.login is good for one login, so there is none to write down.
        body = body | {"code": wechat.issue_code("ann")}
    async with complete.client.request(route.method, await address(complete, route), json=body) as response:
        await check(route, response)


@pytest.mark.parametrize("route", BARE)
async def test_a_request_without_a_body_is_answered_as_documented(complete: Api, route: Route):
    form = None
    if TEXTS[f"{route.method} {route.path}"].uploads:
        form = picture_form()
    async with complete.client.request(route.method, await address(complete, route), data=form) as response:
        await check(route, response)


async def check(route: Route, response: ClientResponse) -> None:
    """Hold a success against what is said of it."""
    assert response.status == 200, await response.text()
    said = success_of(route)
    if response.content_type == "text/event-stream":
        assert response.content_type in said
        events = [event async for event in read_events(response)]
        assert joined(events) == events[-1].data["reply"]
    elif TEXTS[f"{route.method} {route.path}"].media:
        (media,) = said
        assert fnmatch(response.content_type, media)
    else:
        assert complaints(said["application/json"]["schema"], await response.json()) == []


async def address(api: Api, route: Route) -> str:
    """The path with its examples; what must exist is made first."""
    if "{name}" in route.path:
        async with api.client.post("/api/files", data=picture_form()) as response:
            return str((await response.json())["data"]["url"]).removeprefix(str(api.client.make_url("")).rstrip("/"))
    examples = {name: told.example for name, told in openapi_texts.PATH_PARAMETERS.items()}
    if "{turn_id}" in route.path:
        examples["turn_id"] = (await api.chat())["turn_id"]
    return route.path.format_map(examples)


def picture_form() -> FormData:
    form = FormData()
    form.add_field("openid", openapi_examples.OPENID)
    picture = base64.b64decode(openapi_examples.PIXEL_PNG)
    form.add_field("file", picture, filename="pixel.png", content_type="image/png")
    return form


async def test_it_is_served_as_it_is_made(api: Api):
    async with api.client.get("/openapi.json") as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        assert await response.json() == DOCUMENT


# Its failures

CHAT = {"openid": "ann", "messages": [{"role": "user", "content": "hi"}]}
OTHER_CHAT = {**CHAT, "messages": [{"role": "user", "content": "bye"}]}
KEY = {"Idempotency-Key": "k1"}
FAILING = {
    400: ({}, [{"json": {}}]),
    401: ({"AUTH": "required"}, [{"json": CHAT}]),
    403: ({}, [{"json": CHAT, "headers": {"X-Forwarded-For": "203.0.113.9"}}]),
    404: ({}, [{"json": {**CHAT, "conversation_id": "none"}}]),
    413: ({"MAX_BODY_BYTES": "1024"}, [{"json": {**CHAT, "padding": "x" * 2000}}]),
    415: ({}, [{"data": {"a": "form"}}]),
    422: ({}, [{"json": CHAT, "headers": KEY}, {"json": OTHER_CHAT, "headers": KEY}]),
    429: ({"RATE_LIMIT": "1/hour"}, [{"json": CHAT}, {"json": CHAT}]),
    500: ({}, [{"json": CHAT}]),
}


@pytest.mark.parametrize("code", FAILING)
async def test_a_real_failure_is_one_that_is_documented(start: Start, upstream: FakeUpstream, code: int):
    settings, requests = FAILING[code]
    if code == 500:
        upstream.answer_with(Answer.error(400))
    api = await start(**settings)
    for request in requests:
        response = await api.client.post("/api/chat", **request)
        body = await response.json()
    assert response.status == code
    assert str(code) in operation_of(NAMED["POST /api/chat"])["responses"]
    said = DOCUMENT["components"]["responses"][str(code)]
    assert complaints(said["content"]["application/json"]["schema"], body) == []
    assert set(said["headers"]) <= set(response.headers)
