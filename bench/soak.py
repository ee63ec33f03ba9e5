"""Many slow streams for a long time: every one verified to the last piece, and whether memory stays flat."""

from __future__ import annotations

import statistics
import time

from bench.jobs import Report, Streams
from bench.report import table
from bench.script import order
from bench.stage import Stage, say
from bench.subjects import USERS, service

_PAUSE_MS = 1000
_PIECES = 30
_FLAT = 0.05
_PARTS = 10
_TELL_EVERY_SECONDS = 30


def measure_soak(stage: Stage) -> tuple[str, bool]:
    """The run as Markdown, and whether memory was flat. Raises BenchError for a lost, doubled or late piece.

    Streams of half a minute follow one another on each connection. Memory is flat when the median of the last tenth
    is within 5 % of that of the second: during the first, all streams begin for the first time.
    """
    plan, subject = stage.plan, service("required")
    samples: list[float] = []
    with stage.up(subject) as (server, _):
        idle = server.memory_kib() / 1024

        def on_report(report: Report) -> None:
            if report.event == "progress":
                samples.append(server.memory_kib() / 1024)
                if len(samples) % _TELL_EVERY_SECONDS == 0:
                    say(f"  {len(samples)} s: {samples[-1]:.1f} MiB, {report.count:,} pieces of whole streams")

        say(f"soak: {plan.slow_streams:,} streams of a piece a second for {plan.seconds:g} s")
        job = Streams(
            port=server.port,
            requests=[subject.chat(order(_PIECES, _PAUSE_MS), user=user, stream=True) for user in range(USERS)],
            pieces=_PIECES,
            connections=plan.slow_streams,
            seconds=plan.seconds,
            spread_seconds=min(plan.seconds / _PARTS, _PIECES * _PAUSE_MS / 1000),
            progress=True,
        )
        begun = time.perf_counter()
        report = stage.load(job, server, on_report=on_report)
        taken = time.perf_counter() - begun
    return _told(stage, idle, samples, report, taken)


def _told(stage: Stage, idle: float, samples: list[float], report: Report, taken: float) -> tuple[str, bool]:
    size = max(1, len(samples) // _PARTS)
    parts = [statistics.median(samples[start : start + size]) for start in range(0, len(samples), size)][:_PARTS]
    drift = parts[-1] / parts[min(1, len(parts) - 1)] - 1 if parts else float("nan")
    flat = abs(drift) <= _FLAT
    streams = report.count // _PIECES
    text = (
        f"{streams:,} streams of {_PIECES} pieces in {taken:.0f} s, {stage.plan.slow_streams:,} open at once: "
        f"{report.count:,} pieces, every one in its place. Memory is {'flat' if flat else '**not flat**'}: "
        f"{drift:+.1%} from the second tenth of the time to the last (idle {idle:.1f} MiB).\n\n"
    )
    head = [f"{number + 1}/{len(parts)}" for number in range(len(parts))]
    return text + table(["tenth of the time", *head], [["resident, MiB", *(f"{part:.1f}" for part in parts)]]), flat
