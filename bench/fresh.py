"""What a subject takes at its start and for an open stream: a new process on an empty store for every figure."""

from __future__ import annotations

import math
import time

from bench.figures import IDLE_MIB, START_SECONDS, STREAM_KIB
from bench.jobs import Report, Streams
from bench.processes import Running
from bench.script import order
from bench.stage import Stage, say
from bench.subjects import USERS, Subject

_SETTLE_SECONDS = 1.0
_PAUSE_MS = 1000
_WARM_STREAMS = 20


def measure_starts(stage: Stage, subjects: list[Subject]) -> None:
    say("start: exec to the first chat answered, and what is resident then")
    for subject in stage.in_turn(subjects):
        with stage.up(subject) as (server, seconds):
            stage.keep(START_SECONDS, subject.name, seconds)
            time.sleep(_SETTLE_SECONDS)
            stage.keep(IDLE_MIB, subject.name, server.memory_kib() / 1024)


def measure_memory(stage: Stage, subjects: list[Subject]) -> None:
    count = stage.plan.slow_streams
    say(f"memory: {count} streams of a piece a second, all open at once")
    for subject in stage.in_turn(subjects):
        with stage.up(subject) as (server, _):
            _hold(stage, subject, server, _WARM_STREAMS)
            before = server.memory_kib()
            stage.keep(STREAM_KIB, subject.name, (_hold(stage, subject, server, count) - before) / count)


def _hold(stage: Stage, subject: Subject, server: Running, count: int) -> float:
    """What is resident while so many streams are open. Units: KiB."""
    held: list[float] = []

    def on_report(report: Report) -> None:
        if report.event == "open":
            time.sleep(_SETTLE_SECONDS)
            held.append(server.memory_kib())

    pieces = 3 + count // 250  # enough for the first stream to outlast the opening of the last
    job = Streams(
        port=server.port,
        requests=[subject.chat(order(pieces, _PAUSE_MS), user=user, stream=True) for user in range(USERS)],
        pieces=pieces,
        connections=count,
        seconds=0,
    )
    stage.load(job, server, on_report=on_report)
    return held[0] if held else math.nan
