"""What the service counts of itself, in Prometheus' terms: a leaf that every room may count into.

Label sets are bounded: route templates, codes, kinds and ends, never an id, an address or a word of a user.
Source: https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from service.instruments import Durations, Tally
from service.models import Turn

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SLOW = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600)
_DISK = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5)


class Metrics:
    """The instruments of one service. Units: seconds."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Durations(
            "http_request_seconds",
            "HTTP requests by route template and code; a stream counts until its end",
            ["route", "code"],
            _FAST,
            registry,
        )
        self._turns = Tally("turns", "Turns that have ended", ["kind", "end"], registry)
        self._first_piece = Durations(
            "upstream_first_piece_seconds",
            "From asking the upstream to the first piece of its answer",
            ["kind"],
            _SLOW,
            registry,
        )
        self._whole = Durations(
            "upstream_whole_seconds", "From asking the upstream to the end of its answer", ["kind"], _SLOW, registry
        )
        self._tokens = Tally("tokens", "Tokens as the upstream counts them", ["direction"], registry)
        for direction in ("prompt", "completion"):  # there from the start: a rate begins at nothing
            self._tokens.counts[(direction,)] = 0
        self._limits = Tally("limits_hit", "Requests refused by a limit", ["limit"], registry)
        self.store_queue = Durations(
            "store_queue_seconds", "From handing in a write to its transaction", [], _DISK, registry
        )
        self.store_commit = Durations(
            "store_commit_seconds", "One transaction with all its writes", [], _DISK, registry
        )

    def count_request(self, route: str, code: int, seconds: float) -> None:
        self._requests.observe(seconds, route, code)

    def count_turn(self, turn: Turn, first_seconds: float | None, whole_seconds: float) -> None:
        """Count a turn that has ended, with the times that the upstream took."""
        kind, tokens = turn.kind, self._tokens.counts
        self._turns.counts[kind, turn.status] += 1
        tokens["prompt",] += turn.prompt_tokens or 0
        tokens["completion",] += turn.completion_tokens or 0
        if first_seconds is not None:
            self._first_piece.observe(first_seconds, kind)
        self._whole.observe(whole_seconds, kind)

    def count_refusal(self, limit: str) -> None:
        self._limits.counts[limit,] += 1

    def watch(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Show a figure that is read when it is asked for."""
        Gauge(name, text, registry=self.registry).set_function(read)

    def render(self) -> bytes:
        """The text format, version 0.0.4."""
        return generate_latest(self.registry)
