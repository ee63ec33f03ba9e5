"""The one shape of every JSON answer: `{"code", "msg", "data"}`."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from service.errors import MethodNotAllowed, ServiceError
from service.web.json_response import JSON, JsonResponse
from service.web.request_context import CONTEXT, new_request_id

_encoder = msgspec.json.Encoder()


class Envelope(NamedTuple):
    code: int
    msg: str
    data: Any


def _encode(envelope: Envelope) -> bytes:
    return _encoder.encode(envelope._asdict())


def success(data: Any) -> JsonResponse:
    """HTTP 200 with code 0."""
    return JsonResponse(b'{"code":0,"msg":"ok","data":' + _encoder.encode(data) + b"}")


def failure_envelope(request: web.Request, error: ServiceError) -> Envelope:
    """What a client is told of a failure: nothing that the error does not carry for it."""
    return _envelope(error, language_of(request), request[CONTEXT].request_id)


def failure(request: web.Request, error: ServiceError) -> web.Response:
    """HTTP status == code."""
    return _response(error, failure_envelope(request, error))


def failure_without_request(error: ServiceError, language: str) -> web.Response:
    """As `failure`, where what came never became a request."""
    request_id = new_request_id()
    response = _response(error, _envelope(error, language, request_id))
    response.headers["X-Request-ID"] = request_id
    return response


def _envelope(error: ServiceError, language: str, request_id: str) -> Envelope:
    return Envelope(
        error.code, error.message(language), {"type": error.type, "request_id": request_id, **error.details}
    )


def _response(error: ServiceError, envelope: Envelope) -> web.Response:
    headers = {"Content-Type": JSON}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = str(error.details["allow"])
    return web.Response(status=error.code, body=_encode(envelope), headers=headers)


def language_of(request: web.Request) -> str:
    """`zh` or `en`: the one that Accept-Language prefers (RFC 9110, 12.5.4), else MSG_LANGUAGE."""
    best, best_quality = request[CONTEXT].settings.msg_language, 0.0
    for part in request.headers.get("Accept-Language", "")[:200].split(","):
        found = re.match(r"\s*(zh|en)(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?))?\s*$", part, re.IGNORECASE)
        if found and float(found[2] or 1) > best_quality:
            best, best_quality = found[1].lower(), float(found[2] or 1)
    return best
