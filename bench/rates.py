"""What a subject does in a second, and how much later it answers than the upstream: all up, asked in turn."""

from __future__ import annotations

from collections.abc import Sequence

from bench.figures import CHAT_ADDED, CHAT_CPU, CHAT_P99, CHAT_RATE, FIRST_PIECE, HISTORY_RATE, PIECE_RATE, Measure
from bench.jobs import Job, Latencies, Report, Requests, Streams
from bench.processes import Running
from bench.script import REPLY, order
from bench.stage import CROWDED, Stage, await_answer, say
from bench.subjects import USERS, Subject, upstream_subject

_PIECES = 200
_STREAMS = 50
_SHORT_STREAM = 5
_PAGE_TURNS = 20
_PAGE_USER = USERS  # nobody else's, so that the page stays as it is


def measure_rates(stage: Stage, subjects: list[Subject], keys: list[str]) -> None:
    """Fill in what `keys` names of chat, stream, latency and history."""
    plain = [subject for subject in subjects if subject.plain]
    with stage.all_up(subjects) as servers:
        if "chat" in keys:
            _measure_chat(stage, plain, servers)
        if "stream" in keys:
            _measure_streams(stage, subjects, servers)
        if "latency" in keys:
            _measure_latencies(stage, subjects, servers)
        if "history" in keys:
            _measure_history(stage, [subject for subject in plain if subject.is_service][:1], servers)


def _measure_chat(stage: Stage, subjects: list[Subject], servers: dict[str, Running]) -> None:
    say("chat: 64 connections, each its own user; first one load that does not count")
    for subject in subjects:
        stage.load(chat_job(stage, subject, servers[subject.name]), servers[subject.name])
    for subject in stage.in_turn(subjects):
        server = servers[subject.name]
        cpu = server.cpu_seconds()
        report = _loaded(stage, CHAT_RATE, chat_job(stage, subject, server), server)
        cpu = server.cpu_seconds() - cpu
        stage.keep(CHAT_RATE, subject.name, report.per_second)
        stage.keep(CHAT_P99, subject.name, report.p99_ms)
        stage.keep(CHAT_CPU, subject.name, cpu / report.answers * 1e6)


def chat_job(stage: Stage, subject: Subject, server: Running) -> Requests:
    return Requests(
        port=server.port,
        requests=[subject.chat("hi", user=user) for user in range(USERS)],
        must_have=REPLY.encode(),
        seconds=stage.plan.seconds,
        warmup_seconds=min(1.0, stage.plan.seconds / 2),
    )


def page_job(stage: Stage, subject: Subject, server: Running, users: Sequence[int] = range(USERS)) -> Requests:
    return Requests(
        port=server.port,
        requests=[subject.history(user) for user in users],
        must_have=b'"turn_id"',
        times=_PAGE_TURNS,
        seconds=stage.plan.seconds,
        warmup_seconds=min(1.0, stage.plan.seconds / 2),
    )


def _measure_streams(stage: Stage, subjects: list[Subject], servers: dict[str, Running]) -> None:
    say(f"stream: {_STREAMS} streams of {_PIECES} pieces, as fast as they go; first one load that does not count")
    for subject in subjects:
        stage.load(_stream_job(stage, subject, servers[subject.name]), servers[subject.name])
    for subject in stage.in_turn(subjects):
        server = servers[subject.name]
        report = _loaded(stage, PIECE_RATE, _stream_job(stage, subject, server), server)
        stage.keep(PIECE_RATE, subject.name, report.per_second)


def _stream_job(stage: Stage, subject: Subject, server: Running) -> Streams:
    return Streams(
        port=server.port,
        requests=[subject.chat(order(_PIECES), user=user, stream=True) for user in range(_STREAMS)],
        pieces=_PIECES,
        connections=_STREAMS,
        seconds=stage.plan.seconds,
    )


def _measure_latencies(stage: Stage, subjects: list[Subject], servers: dict[str, Running]) -> None:
    say("latency: one request at a time, every subject in turn, and the upstream asked directly")
    plain = [subject for subject in subjects if subject.plain]
    for number in range(stage.plan.rounds):
        say(f"  round {number + 1} of {stage.plan.rounds}")
        for measure, some, pieces in ((CHAT_ADDED, plain, 0), (FIRST_PIECE, subjects, _SHORT_STREAM)):
            direct, *others = stage.load(_latency_job(stage, some, servers, pieces)).medians_ms
            for subject, taken in zip(some, others, strict=True):
                stage.keep(measure, subject.name, taken - direct)


def _latency_job(stage: Stage, subjects: list[Subject], servers: dict[str, Running], pieces: int) -> Latencies:
    targets = [upstream_subject(), *subjects]
    return Latencies(
        names=[target.name for target in targets],
        ports=[stage.upstream.port, *(servers[subject.name].port for subject in subjects)],
        requests=[target.chat(order(pieces), stream=pieces > 0) for target in targets],
        pieces=pieces,
        repeats=stage.plan.repeats,
    )


def _measure_history(stage: Stage, subjects: list[Subject], servers: dict[str, Running]) -> None:
    say(f"history: pages of {_PAGE_TURNS} turns, 64 connections")
    for subject in subjects:
        for _ in range(_PAGE_TURNS):
            await_answer(subject, servers[subject.name], user=_PAGE_USER)
    for subject in stage.in_turn(subjects):
        server = servers[subject.name]
        report = _loaded(stage, HISTORY_RATE, page_job(stage, subject, server, [_PAGE_USER]), server)
        stage.keep(HISTORY_RATE, subject.name, report.per_second)


def _loaded(stage: Stage, measure: Measure, job: Job, server: Running) -> Report:
    """Do a job, and note it where the load's own core was full: then it is that which was measured."""
    upstream_cpu = stage.upstream.cpu_seconds()
    report = stage.load(job, server)
    upstream_cpu = stage.upstream.cpu_seconds() - upstream_cpu
    if stage.cores.load is not None and report.own_cpu + upstream_cpu / report.job_seconds > CROWDED:
        stage.figures.crowded.add((measure, server.name))
    return report
