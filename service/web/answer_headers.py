"""What every answer's head tells: the request's id, what is left of the rates, and that origins matter."""

from __future__ import annotations

from aiohttp import web

from service.web.request_context import CONTEXT, new_request_id


def told_lines(request: web.BaseRequest) -> str:
    """The headers as HTTP/1.1 writes them."""
    try:
        context = request[CONTEXT]
    except KeyError:  # aiohttp answers an unknown `Expect` before any middleware has seen the request
        return f"X-Request-ID: {new_request_id()}\r\nVary: Origin\r\n"
    lines = f"X-Request-ID: {context.request_id}\r\nVary: Origin\r\n"
    if (allowance := context.allowance) is None:
        return lines
    limit, remaining, reset_seconds = allowance.told()
    return (
        f"{lines}RateLimit-Limit: {limit}\r\nRateLimit-Remaining: {remaining}\r\nRateLimit-Reset: {reset_seconds}\r\n"
    )


def told_headers(request: web.BaseRequest) -> dict[str, str]:
    """The same by their names."""
    return dict(line.split(": ", 1) for line in told_lines(request).splitlines())
