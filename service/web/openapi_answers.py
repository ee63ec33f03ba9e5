"""The answers of a route: its success, its event stream, and every failure that it can meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from service import errors
from service.web import openapi_schemas as schemas
from service.web.identity import Access
from service.web.openapi_examples import EVENTS
from service.web.openapi_parameters import fields_of, path_names
from service.web.openapi_texts import ROUTE_TEXTS, Told

if TYPE_CHECKING:
    from service.web.routes import Route

Answer = dict[str, Any]

_JSON: Final = "application/json"
# One failure of each status, as an example of its answer.
_FAILURES: Final = (
    (errors.BadRequest("missing_field", field="messages"), "The request is wrong; `field` names the place · 参数错误"),
    (errors.Unauthorized(), "No valid token · 未登录或登录已失效"),
    (errors.Forbidden(), "Not allowed · 无权访问"),
    (errors.NotFound("turn_not_found"), "No such thing of yours · 不存在"),
    (errors.TooLarge(limit_bytes=8 << 20), "Too large · 内容太大"),
    (errors.UnsupportedMedia(), "This type is not taken · 类型不支持"),
    (errors.IdempotencyMismatch(), "The same idempotency key with another payload · 幂等键冲突"),
    (errors.TooManyRequests(retry_after_seconds=12), "A limit or a quota is reached · 超出限制或额度"),
    (errors.UpstreamError(retryable=True), "A failure here or at the upstream · 服务器内部错误/AI服务异常"),
    (errors.Unavailable(), "Overloaded, stopping, or nothing can be stored · 服务繁忙"),
)
_OF_ACCESS: Final = {
    Access.PUBLIC: set[int](),
    Access.SESSION: {403, 503},
    Access.USER: {401, 403, 503},
    Access.OPERATOR: {403, 503},
    Access.BALANCE: {401, 403, 503},
}

_COUNT: Final = {"type": "integer", "minimum": 0}
HEADERS: Final = {
    "X-Request-ID": {"description": "The name of this request in the log.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait before trying again.", "required": True, "schema": _COUNT},
    "RateLimit-Limit": {"description": "Requests in a period, where there is a limit.", "schema": _COUNT},
    "RateLimit-Remaining": {"description": "Requests that are left now.", "schema": _COUNT},
    "RateLimit-Reset": {"description": "Seconds until all are there again.", "schema": _COUNT},
}


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


_REQUEST_ID: Final = _headers("X-Request-ID")
_RETRY_AFTER: Final = _headers("Retry-After")
_RATE: Final = _headers("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


def answers(route: Route) -> dict[str, Answer]:
    """All answers by status."""
    told = ROUTE_TEXTS[f"{route.method} {route.path}"]
    content = {told.media: {}} if told.media else _content(route, told)
    headers = _REQUEST_ID | (_RATE if route.is_counted else {})
    success: Answer = {"description": "Success · 成功", "headers": headers, "content": content}
    failed = {str(code): {"$ref": f"#/components/responses/{code}"} for code in sorted(failure_codes(route, told))}
    return {"200": success, **failed}


def failure_codes(route: Route, told: Told) -> set[int]:
    """What can go wrong, as far as the types tell, and what the texts add to it."""
    codes = {500, *told.fails, *_OF_ACCESS[route.access]}
    names = path_names(route.path)
    if route.query or "openid" in names:
        codes.add(400)
    if names and "openid" not in names:
        codes.add(404)
    if route.takes:
        codes |= {400, 413, 415}
    if "client_id" in fields_of(route):
        codes.add(422)
    if route.is_counted:
        codes.add(429)
    return codes


def failures() -> dict[str, Answer]:
    """The failures by status, as components."""
    return {str(error.code): _failure(error, reason) for error, reason in _FAILURES}


def _content(route: Route, told: Told) -> Answer:
    data = schemas.reference(route.gives) if route.gives else {"type": "object"}
    example = {"code": 0, "msg": "ok", "data": msgspec.json.decode(msgspec.json.encode(told.answer))}
    content: Answer = {_JSON: {"schema": schemas.success(data), "example": example}}
    if "stream" in fields_of(route):
        content["text/event-stream"] = {"schema": {"$ref": "#/components/schemas/Event"}, "example": EVENTS}
    return content


def _failure(error: errors.ServiceError, reason: str) -> Answer:
    schema = {"allOf": [schemas.FAILURE, {"properties": {"code": {"const": error.code}}}]}
    data = {"type": error.type, "request_id": "3f1c26be07d9458a", **error.details}
    example = {"code": error.code, "msg": error.message("zh"), "data": data}
    headers = _REQUEST_ID | (_RETRY_AFTER if error.retry_after_seconds is not None else {})
    return {"description": reason, "headers": headers, "content": {_JSON: {"schema": schema, "example": example}}}
