"""Start the service: read `.env` and the environment, serve until SIGTERM, drain, stop.

python run.py                 as the settings say
python run.py --demo          with a built-in upstream: no key and no network needed
python run.py token OPENID    print an access token for a user
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from aiohttp import web
from dotenv import dotenv_values

from service import __version__
from service.app import access_tokens, create_app, drain
from service.clock import SystemClock
from service.demo import DemoUpstream
from service.domain.tokens import is_openid
from service.errors import StartError
from service.logs import set_up_logging
from service.settings import Settings
from service.web.connections import ConnectionCaps
from service.web.protocol import use_own_protocol

_log = logging.getLogger("service")

try:
    import uvloop

    _new_event_loop: Callable[[], asyncio.AbstractEventLoop] | None = uvloop.new_event_loop
except ImportError:
    _new_event_loop = None


def main() -> int:
    arguments = _parse_arguments()
    try:
        settings = Settings.from_mapping(_read_environment())
        set_up_logging(settings)
        if arguments.command == "token":
            if not is_openid(arguments.openid):
                raise StartError("OPENID must be 1 to 128 characters that can be printed.")
            print(access_tokens(settings, SystemClock()).mint(arguments.openid))
            return 0
        if not arguments.demo:
            _require_key(settings)
        with asyncio.Runner(loop_factory=_new_event_loop) as runner:
            runner.run(_serve(settings, demo=arguments.demo))
    except StartError as error:
        print(f"The service cannot start. {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", action="store_true", help="answer from a built-in upstream")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", metavar="token OPENID")
    commands.add_parser("token", help="print an access token for a user").add_argument("openid")
    return parser.parse_args()


def _require_key(settings: Settings) -> None:
    key = settings.openai_api_key
    if not re.fullmatch(r"[\x21-\x7e]+", key):  # it goes into a header; an example's placeholder does not fit
        wrong = "is no key" if key else "is not set"
        raise StartError(f"OPENAI_API_KEY {wrong}: put yours into .env (see .env.example), or try `run.py --demo`.")


def _read_environment() -> dict[str, str | None]:
    """`.env` beside this file; the environment wins."""
    path = Path(__file__).with_name(".env")
    try:
        kept = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"{path} cannot be read as UTF-8: {error}.") from None
    return {**kept, **os.environ}


async def _serve(settings: Settings, *, demo: bool) -> None:
    stop = _stop_on_signals()  # before it is told that we listen: a stop that comes at once is a stop too
    async with contextlib.AsyncExitStack() as stack:
        if demo:
            upstream = DemoUpstream()
            stack.push_async_callback(upstream.close)
            settings = settings.for_demo(await upstream.start())
        app = create_app(settings)
        runner = web.AppRunner(
            app,
            access_log=None,
            max_line_size=settings.max_header_bytes,
            max_field_size=settings.max_header_bytes,
            keepalive_timeout=settings.header_timeout_seconds,
            shutdown_timeout=5,
        )
        stack.push_async_callback(runner.cleanup)
        await _listen(runner, settings)
        _log.info(
            "listening on http://%s:%d%s", settings.host, _port_of(runner), " with the demo upstream" if demo else ""
        )
        if _new_event_loop is None:
            _log.info("running without uvloop: it answers the same, somewhat slower")
        _settle_memory()
        await stop.wait()
        _log.info("stopping: running turns have %g s to end", settings.shutdown_grace_seconds)
        try:
            await drain(app)
        except asyncio.CancelledError:  # asked a second time: no turn is waited for
            await drain(app, grace_seconds=0)
            raise


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    await runner.setup()
    if runner.server is not None:
        ConnectionCaps(runner.server, settings)
        use_own_protocol(runner.server, settings.msg_language)
    try:
        await web.TCPSite(runner, settings.host, settings.port, backlog=1024).start()
    except OSError as error:
        raise StartError(
            f"HOST={settings.host!r} PORT={settings.port} cannot be listened on: {error.strerror}."
        ) from None


def _port_of(runner: web.AppRunner) -> int:
    return int(runner.addresses[0][1])


def _settle_memory() -> None:
    """What was made at start stays for good: keep the collector from walking through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    serving = asyncio.current_task()

    def stop_or_hurry() -> None:
        if stop.is_set() and serving is not None:
            serving.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        # Windows has no signal handlers in a loop: Ctrl-C is a KeyboardInterrupt there.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop_or_hurry)
    return stop


if __name__ == "__main__":
    sys.exit(main())
