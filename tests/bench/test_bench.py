"""The benchmark itself: it must not take a failure for speed, nor leave anything behind."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast
from xml.etree import ElementTree

import msgspec
import pytest

from bench.drawn import PICTURE_BYTES, drawn
from bench.jobs import Latencies, Requests, Streams
from bench.load import main as do_job
from bench.processes import ROOT
from bench.script import REPLY, STREAM_HEAD, chunks, completion, said
from bench.subjects import BARE, SERVICE
from bench.wire import Connection
from bench.work import check_stream
from service.domain.picture_types import measure

COMMAND = [sys.executable, "-m", "bench", "--quick"]


class Answering(asyncio.Protocol):
    """Says the same to everybody, and closes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(self._answer)
        self._transport.close()


@asynccontextmanager
async def server_that_answers(answer: bytes) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(lambda: Answering(answer), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def plain_job(port: int) -> Requests:
    return Requests(port=port, requests=[b"GET / HTTP/1.1\r\n\r\n"], must_have=REPLY.encode(), connections=1, seconds=5)


def stream_job(port: int) -> Streams:
    return Streams(port=port, requests=[b"GET / HTTP/1.1\r\n\r\n"], pieces=5, connections=1, seconds=0)


@pytest.mark.parametrize(
    ("make_job", "answer", "told"),
    [
        (plain_job, b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}", "status 500"),
        (plain_job, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "status 200, body b'{}'"),
        (plain_job, completion()[:-1], "closed before the answer was whole"),
        (stream_job, STREAM_HEAD + b"".join(chunks(4)), "4 of 5 pieces"),
        (stream_job, STREAM_HEAD + b"".join([*chunks(5)[:2], *chunks(5)[3:]]), "4 of 5 pieces"),
        (stream_job, STREAM_HEAD + b"".join([chunks(5)[1], chunks(5)[0], *chunks(5)[2:]]), "5 of 5 pieces"),
        (stream_job, STREAM_HEAD + b"".join(chunks(5)[:-1]), "closed before the answer was whole"),
        (stream_job, STREAM_HEAD + b"5\r\nwrong length\r\n0\r\n\r\n", "the chunked body is broken"),
    ],
    ids=["500", "other words", "half a body", "short", "a lost piece", "out of order", "no end", "bad chunk"],
)
async def test_a_wrong_or_cut_answer_ends_the_job_with_an_error(
    make_job: Callable[[int], Requests | Streams], answer: bytes, told: str
) -> None:
    async with server_that_answers(answer) as port:
        report = await do_job(make_job(port))

    assert (report.event, told in report.error) == ("error", True), report


async def test_a_server_that_closes_between_two_answers_ends_the_job_with_an_error() -> None:
    async with server_that_answers(completion()) as port:
        report = await do_job(plain_job(port))

    assert "closed before the answer was whole" in report.error


async def test_asking_over_a_connection_that_was_refused_is_a_failure_too() -> None:
    broken: list[Exception] = []
    async with server_that_answers(b"") as port:
        loop = asyncio.get_running_loop()
        transport, connection = await loop.create_connection(
            lambda: Connection(lambda _: None, broken.append), "127.0.0.1", port
        )
        transport.close()
        connection.ask(b"GET / HTTP/1.1\r\n\r\n")

    assert len(broken) == 1


async def test_a_wrong_stream_among_many_targets_is_told_with_the_name_of_its_target() -> None:
    async with server_that_answers(STREAM_HEAD + b"".join(chunks(4))) as port:
        report = await do_job(Latencies(names=["the slow one"], ports=[port], requests=[b"\r\n\r\n"], pieces=5))

    assert report.error.startswith("the slow one: status 200, 4 of 5 pieces")


async def test_an_answer_is_the_same_however_the_network_cuts_it() -> None:
    seen: list[bytes] = []

    def on_answer(connection: Connection) -> None:
        check_stream(connection, 3)
        seen.append(connection.body())

    connection = Connection(on_answer, lambda error: pytest.fail(str(error)))
    for byte in STREAM_HEAD + b"".join(chunks(3)):
        connection.data_received(bytes([byte]))

    assert len(seen) == 1
    assert connection.first_piece_at > 0
    assert said(3) == b"piece00000 piece00001 piece00002 "


def test_what_the_upstream_draws_is_a_whole_picture_and_each_another() -> None:
    answers = [b"".join(drawn(number)).partition(b"\r\n\r\n") for number in (0, 1)]
    first, second = (base64.b64decode(json.loads(body)["data"][0]["b64_json"]) for _, _, body in answers)

    assert f"Content-Length: {len(answers[0][2])}".encode() in answers[0][0]
    assert len(first) == PICTURE_BYTES >= 30_000_000
    assert measure(first) == (3200, 3134)
    assert first != second


async def test_with_no_time_at_all_each_connection_asks_once_and_a_wrong_answer_is_still_an_error() -> None:
    async with server_that_answers(completion()) as port:
        job = msgspec.structs.replace(plain_job(port), connections=3, seconds=0, warmup_seconds=0)
        report = await do_job(job)
        wrong = await do_job(msgspec.structs.replace(job, times=2))

    assert (report.event, report.answers, wrong.event) == ("done", 3, "error")


def test_one_command_measures_the_service_beside_the_reference_and_leaves_a_table_and_a_chart(tmp_path: Path) -> None:
    only = ["--only", "chat,latency,bare,required", "--out", str(tmp_path)]
    done = subprocess.run([*COMMAND, *only], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    table = (tmp_path / "RESULTS.md").read_text()
    assert f"| {SERVICE} |" in table
    assert f"| {BARE} |" in table
    assert "GET /api/history of 20 turns: at least 3,000/s | - | not measured |" in table
    chart = ElementTree.parse(tmp_path / "RESULTS.svg").getroot()  # noqa: S314 - our own
    assert len(chart) > 10


def test_a_name_that_means_nothing_is_refused_before_anything_is_started() -> None:
    command = [*COMMAND, "--only", "chta"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)

    assert (done.returncode, "--only chta: neither a measure" in done.stderr) == (1, True)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="the children are found in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_process_and_no_folder(number: signal.Signals, tmp_path: Path) -> None:
    command = [*COMMAND, "--only", "chat,bare", "--folder", str(tmp_path)]
    bench = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert bench.stderr is not None
    assert bench.stderr.readline().startswith("chat: ")
    children = [int(child) for child in Path(f"/proc/{bench.pid}/task/{bench.pid}/children").read_text().split()]

    bench.send_signal(number)
    _, told = bench.communicate(timeout=20)

    assert (bench.returncode, told.strip().splitlines()[-1]) == (130, "bench stopped")
    assert len(children) >= 2
    assert [child for child in children if alive(child)] == []
    assert list(tmp_path.iterdir()) == []


def alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True
