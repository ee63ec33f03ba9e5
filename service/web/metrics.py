"""GET /metrics, for Prometheus."""

from __future__ import annotations

from aiohttp import web

from service.web.keys import METRICS


async def get_metrics(request: web.Request) -> web.Response:
    body = request.app[METRICS].render()
    return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
