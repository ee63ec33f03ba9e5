"""How many connections there may be, in all and from one address: more are closed before they have said a word.

And how long one may go unread: an answer that its client does not take must not stay in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
import time
from collections import Counter
from typing import Any

from aiohttp import web

from service.settings import Settings
from service.web.client_address import is_among, site_of

if sys.platform != "win32":
    import resource

_log = logging.getLogger(__name__)
_MANY = 1 << 20
_TELL_EVERY_SECONDS = 60.0


class ConnectionCaps:
    """Counts the connections of a server by their peers; proxies that are trusted count in all only."""

    def __init__(self, server: web.Server, settings: Settings) -> None:
        # A connection is a file, a turn is another: half of them must be left, or nobody can be accepted nor answered.
        self._most = min(settings.max_connections, _raise_file_limit() // 2)
        # Nobody alone may take all of them.
        self._most_per_site = min(settings.max_connections_per_address, max(1, self._most // 2))
        self._unread_ms = int(settings.body_timeout_seconds * 1000)
        self._trusted = settings.trusted_proxies
        self._by_site: Counter[str] = Counter()
        self._sites: dict[object, str] = {}
        self._told_at = -_TELL_EVERY_SECONDS
        # aiohttp has no hook for a new connection: its server object tells itself of each by these two methods.
        self._made, self._lost = server.connection_made, server.connection_lost
        server.connection_made = self._on_made  # type: ignore[method-assign]
        server.connection_lost = self._on_lost  # type: ignore[method-assign,assignment]

    def _on_made(self, handler: Any, transport: asyncio.Transport) -> None:
        self._made(handler, transport)
        peer = str((transport.get_extra_info("peername") or ("",))[0])
        site = "" if is_among(peer, self._trusted) else site_of(peer)
        self._sites[handler] = site
        self._by_site[site] += 1
        if len(self._sites) > self._most or (site and self._by_site[site] > self._most_per_site):
            self._tell()
            transport.abort()
        else:
            self._bound_unread(transport)

    def _on_lost(self, handler: Any, *args: Any) -> None:
        self._lost(handler, *args)
        site = self._sites.pop(handler, "")
        self._by_site[site] -= 1
        if self._by_site[site] <= 0:
            del self._by_site[site]

    def _tell(self) -> None:
        """Once in a while: a flood must not become one of lines too."""
        if time.monotonic() - self._told_at >= _TELL_EVERY_SECONDS:
            self._told_at = time.monotonic()
            _log.warning("connections are refused: there are too many (MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS)")

    def _bound_unread(self, transport: asyncio.Transport) -> None:
        """Let the system end a connection whose peer has taken nothing for long (RFC 5482)."""
        peer = transport.get_extra_info("socket")
        if hasattr(socket, "TCP_USER_TIMEOUT") and getattr(peer, "family", 0) in (socket.AF_INET, socket.AF_INET6):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._unread_ms)


def _raise_file_limit() -> int:
    """Let the process open as many files as it is allowed to at most; returns how many these are."""
    if sys.platform == "win32":
        return _MANY
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return _MANY if soft == resource.RLIM_INFINITY else soft
