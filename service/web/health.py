"""Whether the process lives, and whether it can do its work: for systemd and load balancers."""

from __future__ import annotations

from aiohttp import web

from service.errors import Unavailable
from service.web.envelope import success
from service.web.keys import DATABASE, TURNS, UPSTREAM_HEALTH


async def get_health(request: web.Request) -> web.StreamResponse:
    return success({"status": "ok"})


async def get_ready(request: web.Request) -> web.StreamResponse:
    """503 when stopping or when nothing can be stored; an upstream that fails is told, and no reason to restart."""
    if request.app[TURNS].running.closed:
        raise Unavailable("stopping")
    await request.app[DATABASE].check()
    upstream = "failing" if request.app[UPSTREAM_HEALTH].is_failing else "ok"
    return success({"status": "ready", "upstream": upstream, "running_turns": len(request.app[TURNS].running)})
