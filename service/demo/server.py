"""The demo upstream as a server on a loopback port: routes, errors in OpenAI's form, the account and the models.

What is said and drawn is decided in the modules beside this one.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from service.demo import chat, pictures
from service.demo.wire import PAUSE, Pause, answer, failure

_BODY_BYTES: Final = 64 << 20
_MODELS: Final = ("gpt-4o-all", "gpt-4o", "gpt-image-1")
_LIMIT_USD: Final = 100.0
_USED_CENTS: Final = 1234.5


class DemoUpstream:
    """An OpenAI-compatible upstream for trying the service.

    Shape: `pause` is awaited with the seconds to wait before each piece; tests pass one that does not wait.
    """

    def __init__(self, *, pause: Pause = asyncio.sleep) -> None:
        # A client that went away cancels its handler at once: an abandoned reply costs nothing.
        self._runner = web.AppRunner(
            _application(pause), access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )

    async def start(self) -> str:
        """Listen on a free loopback port. Shape: the base URL, such as http://127.0.0.1:40123/v1."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}/v1"

    async def close(self) -> None:
        """Stop, and cut the replies that are under way."""
        await self._runner.cleanup()


def _application(pause: Pause) -> web.Application:
    app = web.Application(middlewares=[_errors], client_max_size=_BODY_BYTES)
    app[PAUSE] = pause
    app.add_routes(
        [
            web.post("/v1/chat/completions", chat.complete),
            web.post("/v1/images/generations", pictures.generate),
            web.post("/v1/images/edits", pictures.edit),
            web.get(pictures.PATH, pictures.show),
            web.get("/v1/models", _models),
            # Relays of the one-api family answer at both places.
            web.get("/v1/dashboard/billing/subscription", _subscription),
            web.get("/v1/dashboard/billing/usage", _usage),
            web.get("/dashboard/billing/subscription", _subscription),
            web.get("/dashboard/billing/usage", _usage),
        ]
    )
    return app


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return failure(400, f"We could not parse the body of your request: {error}")
    except web.HTTPException as error:
        return failure(error.status, f"{error.reason} ({request.method} {request.path})")


async def _models(_request: web.Request) -> web.Response:
    models = [{"id": name, "object": "model", "created": 1715367049, "owned_by": "demo"} for name in _MODELS]
    return answer({"object": "list", "data": models})


async def _subscription(_request: web.Request) -> web.Response:
    limits = dict.fromkeys(("soft_limit_usd", "hard_limit_usd", "system_hard_limit_usd"), _LIMIT_USD)
    return answer({"object": "billing_subscription", "has_payment_method": True, "access_until": 0, **limits})


async def _usage(_request: web.Request) -> web.Response:
    return answer({"object": "list", "total_usage": _USED_CENTS})
