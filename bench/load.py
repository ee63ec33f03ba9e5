"""The load generator, in a process of its own: does one job, told on stdin, and reports on stdout.

Every answer is checked. The first wrong, cut or late one ends the job with an error: a fast failure must never look
like a fast service. `python -m bench.load < job.json`
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
from collections.abc import Awaitable
from time import perf_counter, process_time

import msgspec
import uvloop

from bench.jobs import Job, Latencies, Report, Requests, Streams
from bench.script import REPLY
from bench.wire import BadAnswerError, Connection
from bench.work import Work, check, check_stream


async def do_requests(job: Requests) -> Report:
    work = Work()
    latencies: list[float] = []

    def on_answer(connection: Connection) -> None:
        check(connection, job.must_have, job.times)
        now = perf_counter()
        work.count += 1
        if begin <= now < end:
            latencies.append(now - connection.asked_at)
        if now < end:
            connection.ask(requests[connection])
        else:
            work.rest()

    connections = await work.connect([job.port] * job.connections, on_answer)
    requests = {one: job.requests[number % len(job.requests)] for number, one in enumerate(connections)}
    begin = perf_counter() + job.warmup_seconds
    end = begin + job.seconds
    for connection, request in requests.items():
        connection.ask(request)
    await work.wait()
    cuts = statistics.quantiles(latencies, n=100) if len(latencies) > 1 else [0.0] * 99
    return Report(
        event="done",
        count=len(latencies),
        seconds=job.seconds,
        answers=work.count,
        p50_ms=cuts[49] * 1000,
        p99_ms=cuts[98] * 1000,
    )


async def do_streams(job: Streams) -> Report:
    work = Work()

    def on_answer(connection: Connection) -> None:
        check_stream(connection, job.pieces)
        work.count += job.pieces
        if perf_counter() < end:
            connection.ask(requests[connection])
        else:
            work.rest()

    connections = await work.connect([job.port] * job.connections, on_answer)
    requests = {one: job.requests[number % len(job.requests)] for number, one in enumerate(connections)}
    started = perf_counter()
    end = started + job.seconds
    for number, (connection, request) in enumerate(requests.items()):
        asyncio.get_running_loop().call_later(job.spread_seconds * number / job.connections, connection.ask, request)
    watcher = asyncio.create_task(_tell(connections, work, job.progress))
    await work.wait()
    watcher.cancel()
    return Report(event="done", count=work.count, seconds=perf_counter() - started)


async def _tell(connections: list[Connection], work: Work, progress: bool) -> None:
    """Say when every stream has begun and, if asked to, every second how far they are."""
    # Looking now and then is cheaper than an event that every stream would have to set.
    while not all(connection.first_piece_at for connection in connections):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    tell(Report(event="open"))
    while progress:
        await asyncio.sleep(1)
        tell(Report(event="progress", count=work.count))


async def do_latencies(job: Latencies) -> Report:
    work = Work()
    taken_ms: list[list[float]] = [[] for _ in job.ports]

    def ask_next() -> None:
        target = work.count % len(connections)
        connections[target].ask(job.requests[target])

    def on_answer(connection: Connection) -> None:
        target = work.count % len(connections)
        if job.pieces:
            check_stream(connection, job.pieces, job.names[target])
        else:
            check(connection, REPLY.encode())
        answered_at = connection.first_piece_at if job.pieces else connection.heard_at
        taken_ms[target].append((answered_at - connection.asked_at) * 1000)
        work.count += 1
        if work.count == job.repeats * len(connections):
            work.finish()
        else:
            ask_next()

    connections = await work.connect(job.ports, on_answer)
    ask_next()
    await work.wait()
    return Report(event="done", count=work.count, medians_ms=[statistics.median(some) for some in taken_ms])


def tell(report: Report) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    sys.stdout.buffer.flush()


def _start(job: Job) -> Awaitable[Report]:
    if isinstance(job, Requests):
        return do_requests(job)
    if isinstance(job, Streams):
        return do_streams(job)
    return do_latencies(job)


async def main(job: Job) -> Report:
    cpu, wall = process_time(), perf_counter()
    try:
        report = await _start(job)
    except (BadAnswerError, OSError) as error:
        return Report(event="error", error=str(error))
    taken = perf_counter() - wall
    return msgspec.structs.replace(report, own_cpu=(process_time() - cpu) / taken, job_seconds=taken)


if __name__ == "__main__":
    gc.disable()  # a collection of thousands of kept latencies would be read as a pause of the subject
    final = uvloop.run(main(msgspec.json.decode(sys.stdin.buffer.read(), type=Job)))
    tell(final)
    sys.exit(final.event == "error")
