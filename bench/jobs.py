"""What a load generator can be told to do, and what it tells: JSON between two of our own processes.

Units: seconds, except where a name says otherwise. Latencies are those of successful answers; a failed one ends
the job, so there are no others.
"""

from __future__ import annotations

import msgspec


class Requests(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """As many requests as possible: each connection asks its own, again and again; with no time at all, once.

    Shape: `must_have` stands `times` times in every answer's body.
    """

    port: int
    requests: list[bytes]
    must_have: bytes
    times: int = 1
    connections: int = 64
    seconds: float = 3.0
    warmup_seconds: float = 1.0


class Streams(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Streams of `pieces` pieces on every connection until the time is over, at least one each, every one verified.

    `spread_seconds` is the time over which the connections begin, one after another.
    """

    port: int
    requests: list[bytes]
    pieces: int
    connections: int = 50
    seconds: float = 3.0
    spread_seconds: float = 0.0
    progress: bool = False


class Latencies(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One request at a time on one connection to each port, in turn: how long the first piece of a stream takes or,
    with no `pieces`, the whole of a plain answer.

    Shape: `names`, `ports` and `requests` are those of one target each. `seconds` is how long that may take.
    """

    names: list[str]
    ports: list[int]
    requests: list[bytes]
    pieces: int
    repeats: int = 100
    seconds: float = 60.0


Job = Requests | Streams | Latencies


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line from the load generator: `event` is `open` (every stream has begun), `progress`, `error` or `done`.

    Shape: `count` is what was counted in `seconds`; `answers` is all there were, warm-up included.
    Units: `_ms` as named, `own_cpu` as a share of one core.
    """

    event: str
    error: str = ""
    count: int = 0
    seconds: float = 0.0
    answers: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    medians_ms: list[float] = []
    own_cpu: float = 0.0
    job_seconds: float = 0.0

    @property
    def per_second(self) -> float:
        return self.count / self.seconds
