"""What the service counts of itself, in Prometheus' terms: a leaf that every room may count into.

Label sets are bounded: route templates, codes, kinds and ends, never an id, an address or a word of a user.
Source: https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SLOW = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600)
_DISK = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5)


class Metrics:
    """The instruments of one service. Units: seconds."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self._requests = Histogram(
            "http_request_seconds",
            "HTTP requests by route template and code; a stream counts until its end",
            ["route", "code"],
            buckets=_FAST,
            registry=registry,
        )
        self._turns = Counter("turns", "Turns that have ended", ["kind", "end"], registry=registry)
        self._first_piece = Histogram(
            "upstream_first_piece_seconds",
            "From asking the upstream to the first piece of its answer",
            ["kind"],
            buckets=_SLOW,
            registry=registry,
        )
        self._whole = Histogram(
            "upstream_whole_seconds",
            "From asking the upstream to the end of its answer",
            ["kind"],
            buckets=_SLOW,
            registry=registry,
        )
        self._tokens = Counter("tokens", "Tokens as the upstream counts them", ["direction"], registry=registry)
        self._limits = Counter("limits_hit", "Requests refused by a limit", ["limit"], registry=registry)
        self.store_queue = Histogram(
            "store_queue_seconds", "From handing in a write to its transaction", buckets=_DISK, registry=registry
        )
        self.store_commit = Histogram(
            "store_commit_seconds", "One transaction with all its writes", buckets=_DISK, registry=registry
        )
        # Looking a label set up costs more than counting: each is looked up once.
        self._requests_by = functools.cache(self._requests.labels)
        self._turns_by = functools.cache(self._turns.labels)
        self._first_piece_by = functools.cache(self._first_piece.labels)
        self._whole_by = functools.cache(self._whole.labels)
        self._prompt_tokens, self._completion_tokens = map(self._tokens.labels, ("prompt", "completion"))

    def count_request(self, route: str, code: int, seconds: float) -> None:
        self._requests_by(route, code).observe(seconds)

    def count_turn(self, kind: str, end: str, prompt_tokens: int | None, completion_tokens: int | None) -> None:
        self._turns_by(kind, end).inc()
        self._prompt_tokens.inc(prompt_tokens or 0)
        self._completion_tokens.inc(completion_tokens or 0)

    def time_upstream(self, kind: str, first_seconds: float | None, whole_seconds: float) -> None:
        if first_seconds is not None:
            self._first_piece_by(kind).observe(first_seconds)
        self._whole_by(kind).observe(whole_seconds)

    def count_refusal(self, limit: str) -> None:
        self._limits.labels(limit).inc()

    def watch(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Show a figure that is read when it is asked for."""
        Gauge(name, text, registry=self.registry).set_function(read)

    def render(self) -> bytes:
        """The text format, version 0.0.4."""
        return generate_latest(self.registry)
