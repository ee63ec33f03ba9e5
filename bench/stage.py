"""The stage that every measure plays on: the upstream, the folder, the cores, the subjects that are up, the load."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from tempfile import mkdtemp

from bench.figures import Figures, Measure
from bench.jobs import Job, Report
from bench.machine import Cores
from bench.processes import BenchError, Running, ignore, run_job
from bench.script import REPLY, order
from bench.subjects import Subject, started, upstream_subject

CROWDED = 0.95  # of the core that the load and the upstream share


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured. Units: seconds of each load, rows of the large store."""

    rounds: int
    seconds: float
    rows: int
    slow_streams: int
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    plan: Plan
    cores: Cores
    folder: Path
    upstream: Running
    figures: Figures

    @property
    def upstream_url(self) -> str:
        return f"http://127.0.0.1:{self.upstream.port}/v1"

    def new_folder(self) -> Path:
        return Path(mkdtemp(dir=self.folder))

    @contextmanager
    def up(self, subject: Subject, folder: Path | None = None) -> Iterator[tuple[Running, float]]:
        """The subject, once it has answered a chat, and the seconds that took from exec."""
        begun = time.perf_counter()
        with started(subject, self.upstream_url, folder or self.new_folder(), self.cores.server) as server:
            await_answer(subject, server)
            yield server, time.perf_counter() - begun

    @contextmanager
    def all_up(self, subjects: list[Subject]) -> Iterator[dict[str, Running]]:
        with ExitStack() as stack:
            yield {subject.name: stack.enter_context(self.up(subject))[0] for subject in subjects}

    def load(self, job: Job, server: Running | None = None, *, on_report: Callable[[Report], None] = ignore) -> Report:
        """Do a job. Raises BenchError with the name of the server and the end of its log."""
        try:
            return run_job(job, self.cores.load, on_report)
        except BenchError as error:
            if server is None:
                raise
            raise BenchError(f"{server.name}: {error}; its log ends:\n{server.log_end()}") from None

    def keep(self, measure: Measure, subject: str, value: float) -> None:
        self.figures.add(measure, subject, value)
        say(f"    {subject}: {measure.name} {value:,.{measure.digits}f} {measure.unit}")

    def in_turn(self, subjects: list[Subject]) -> Iterator[Subject]:
        """Every subject once a round, every other round backwards: a drift of the machine hits all alike."""
        for number in range(self.plan.rounds):
            say(f"  round {number + 1} of {self.plan.rounds}")
            yield from subjects if number % 2 == 0 else reversed(subjects)


@contextmanager
def staged(plan: Plan, cores: Cores, folder: Path, subjects: Sequence[Subject] = ()) -> Iterator[Stage]:
    own = Path(mkdtemp(dir=folder))
    with started(upstream_subject(), "", own, cores.load) as upstream:
        await_answer(upstream_subject(), upstream)
        figures = Figures([subject.name for subject in subjects])
        yield Stage(plan=plan, cores=cores, folder=folder, upstream=upstream, figures=figures)


def await_answer(subject: Subject, server: Running, user: int = 0) -> None:
    """Ask until the first chat is answered. Raises BenchError where it never is, with the end of the log."""
    request = subject.chat(order(1), user=user, stream=not subject.plain)
    deadline = time.monotonic() + subject.ready_seconds
    problem = "no answer"
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            status, body = _exchange(server.port, request)
        except (OSError, HTTPException):
            time.sleep(0.002)
            continue
        if status == 200 and (not subject.plain or REPLY.encode() in body):
            return
        problem = f"status {status}, body {body[:300]!r}"
        time.sleep(0.05)
    raise BenchError(f"{subject.name} does not start: {problem}; its log ends:\n{server.log_end()}")


def _exchange(port: int, request: bytes) -> tuple[int, bytes]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        response = HTTPResponse(connection, method="POST")
        response.begin()
        return response.status, response.read()


def say(text: str) -> None:
    """Progress, for whoever waits: never part of the result."""
    print(text, file=sys.stderr, flush=True)
