"""The parameters of a route: of its path, of its query, and the headers that go with its fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from service.web.openapi_schemas import properties_of
from service.web.openapi_texts import PATH_PARAMETERS, PathParameter

if TYPE_CHECKING:
    from service.web.routes import Route

Parameter = dict[str, Any]

_PREFIX: Final = "#/components/parameters/"
_LANGUAGE: Final = "Accept-Language"
# A header that says the same as a field belongs to every route that takes the field.
_HEADER_OF_FIELD: Final = {
    "client_id": "Idempotency-Key",
    "after": "Last-Event-ID",
    "refreshToken": "refreshToken",
}


def _header(name: str, about: str, **schema: Any) -> Parameter:
    return {"name": name, "in": "header", "description": about, "schema": {"type": "string", **schema}}


HEADERS: Final = {
    _LANGUAGE: _header(_LANGUAGE, "The language of `msg`: `zh` or `en`. 提示语言", examples=["zh-CN", "en"]),
    "Idempotency-Key": _header(
        "Idempotency-Key",
        "The same key and payload never ask the upstream twice. Wins over `client_id`. 幂等键",
        minLength=1,
        maxLength=128,
        pattern=r"^[\x21-\x7e]+$",
    ),
    "Last-Event-ID": _header("Last-Event-ID", "The `id` of the last event that was read; `after` wins. 续传位置"),
    "refreshToken": _header("refreshToken", "The refresh token, where it is not in the body."),
}


def parameters(route: Route, *, localized: bool) -> list[Parameter]:
    """All parameters of a route; Accept-Language where its answers have sentences."""
    names = [_LANGUAGE] if localized else []
    names += [header for field, header in _HEADER_OF_FIELD.items() if field in fields_of(route)]
    return [*_in_path(route.path), *_in_query(route.query), *({"$ref": _PREFIX + name} for name in names)]


def path_names(path: str) -> list[str]:
    return re.findall(r"{(\w+)", path)


def fields_of(route: Route) -> set[str]:
    """What the route takes, in its body or its query."""
    return {name for kind in (route.takes, route.query) if kind for name in properties_of(kind)[0]}


def _in_path(path: str) -> list[Parameter]:
    return [_path_parameter(name, PATH_PARAMETERS[name]) for name in path_names(path)]


def _path_parameter(name: str, told: PathParameter) -> Parameter:
    schema: dict[str, Any] = {"type": "string", "minLength": 1}
    if told.most_characters is not None:
        schema["maxLength"] = told.most_characters
    about = {"description": told.about, "example": told.example, "schema": schema}
    return {"name": name, "in": "path", "required": True, **about}


def _in_query(kind: Any) -> list[Parameter]:
    if kind is None:
        return []
    properties, required = properties_of(kind)
    return [_query_parameter(name, schema, name in required) for name, schema in properties.items()]


def _query_parameter(name: str, schema: dict[str, Any], required: bool) -> Parameter:
    about = schema.pop("description", "")
    if isinstance(schema.get("type"), list):
        # There is no null in a query: it is left out.
        schema["type"] = schema["type"][0]
    parameter = {"name": name, "in": "query", "required": required, "schema": schema}
    return parameter | ({"description": about} if about else {})
