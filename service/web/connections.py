"""How many connections there may be, in all and from one address: more are closed before they have said a word."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any

from aiohttp import web

from service.settings import Settings
from service.web.client_address import is_among

_log = logging.getLogger(__name__)


class ConnectionCaps:
    """Counts the connections of a server by their peers; proxies that are trusted count in all only."""

    def __init__(self, server: web.Server, settings: Settings) -> None:
        self._server = server
        self._settings = settings
        self._by_peer: Counter[str] = Counter()
        self._peers: dict[object, str] = {}
        # aiohttp has no hook for a new connection: its server object tells itself of each by these two methods.
        self._made, self._lost = server.connection_made, server.connection_lost
        server.connection_made = self._on_made  # type: ignore[method-assign]
        server.connection_lost = self._on_lost  # type: ignore[method-assign,assignment]

    def _on_made(self, handler: Any, transport: asyncio.Transport) -> None:
        self._made(handler, transport)
        peer = str((transport.get_extra_info("peername") or ("",))[0])
        self._peers[handler] = peer
        self._by_peer[peer] += 1
        if self._is_too_many(peer):
            _log.warning("a connection was refused: there are too many")
            transport.abort()

    def _on_lost(self, handler: Any, *args: Any) -> None:
        self._lost(handler, *args)
        peer = self._peers.pop(handler, "")
        self._by_peer[peer] -= 1
        if self._by_peer[peer] <= 0:
            del self._by_peer[peer]

    def _is_too_many(self, peer: str) -> bool:
        if len(self._peers) > self._settings.max_connections:
            return True
        return self._by_peer[peer] > self._settings.max_connections_per_address and not is_among(
            peer, self._settings.trusted_proxies
        )
