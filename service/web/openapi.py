"""The OpenAPI 3.1 document of the service, made from the routes and the types that check what they take.

Source: https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from service import __version__
from service.web import (
    openapi_answers,
    openapi_events,
    openapi_examples,
    openapi_parameters,
    openapi_schemas,
    openapi_texts,
)
from service.web.identity import Access

if TYPE_CHECKING:
    from service.web.routes import Route

_SECURITY: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "token": {"type": "apiKey", "in": "header", "name": "token", "description": "The same token. 同一个 token"},
    "operator": {"type": "http", "scheme": "bearer", "description": "ADMIN_TOKEN; not needed on this machine."},
}
# An empty alternative: whether a token is needed depends on AUTH, and on where the client is.
_NEEDED: Final[dict[Access, list[dict[str, list[str]]]]] = {
    Access.PUBLIC: [],
    Access.SESSION: [],
    Access.USER: [{"bearer": []}, {"token": []}, {}],
    Access.OPERATOR: [{"operator": []}, {}],
    Access.BALANCE: [{"bearer": []}, {"token": []}, {"operator": []}, {}],
}
_FORM: Final = {
    "type": "object",
    "required": ["file"],
    # The order in which they must come.
    "properties": {
        "openid": {
            "type": "string",
            "description": "The user. May be left out where a token says who is asking.",
            "examples": [openapi_examples.OPENID],
        },
        "file": {"type": "string", "format": "binary", "description": "PNG, JPEG, WebP or GIF."},
    },
}
_UPLOAD: Final = {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in routes:
        paths[route.path][route.method.lower()] = _operation(route)
    types = [kind for route in routes for kind in (route.takes, route.gives) if kind]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": openapi_texts.TITLE,
            "version": __version__,
            "description": openapi_texts.DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, about in openapi_texts.TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": openapi_schemas.components(types) | {"Event": openapi_events.event_schema()},
            "responses": openapi_answers.failures(),
            "parameters": openapi_parameters.HEADERS,
            "headers": openapi_answers.HEADERS,
            "securitySchemes": _SECURITY,
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    told = openapi_texts.ROUTE_TEXTS[f"{route.method} {route.path}"]
    operation = {
        "tags": [told.tag],
        "summary": f"{told.zh} · {told.en}",
        "operationId": _operation_id(route),
        "parameters": openapi_parameters.parameters(route, localized=not told.media),
        "responses": openapi_answers.answers(route),
        "security": _NEEDED[route.access],
    }
    if told.about:
        operation["description"] = told.about
    if route.takes:
        operation["requestBody"] = _body(route.takes, told)
    if told.uploads:
        operation["requestBody"] = _UPLOAD
    return operation


def _operation_id(route: Route) -> str:
    """The handler's name, as the generators of clients like it."""
    first, *rest = route.handler.__name__.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _body(takes: Any, told: openapi_texts.Told) -> dict[str, Any]:
    _, required = openapi_schemas.properties_of(takes)
    examples = {name: {"value": openapi_examples.given(body)} for name, body in told.bodies.items()}
    content = {"schema": openapi_schemas.reference(takes), "examples": examples}
    return {"required": bool(required), "content": {"application/json": content}}
