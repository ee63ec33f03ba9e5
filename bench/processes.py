"""The processes of a run: started on their core in a group of their own, watched, and always stopped."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from types import FrameType
from typing import Any

import msgspec

from bench.jobs import Job, Report
from bench.machine import cpu_seconds, group_members, on_core, peak_kib, resident_kib

ROOT = Path(__file__).resolve().parent.parent
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
_STOP_SECONDS = 8.0
_SPARE_SECONDS = 90.0


class BenchError(Exception):
    """The run cannot go on; the text says who did what."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server under test, or the upstream."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def memory_kib(self) -> float:
        """What is resident of the whole process group."""
        return sum(resident_kib(member) for member in group_members(self.process.pid)) or math.nan

    def peak_kib(self) -> float:
        """The most that was resident, as if every process of the group had been at its peak at once."""
        return sum(peak_kib(member) for member in group_members(self.process.pid)) or math.nan

    def cpu_seconds(self) -> float:
        return sum(cpu_seconds(member) for member in group_members(self.process.pid)) or math.nan

    def log_end(self) -> str:
        return self.log.read_text(errors="replace")[-1500:]


@contextmanager
def running(
    name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path, *, port: int, core: int | None
) -> Iterator[Running]:
    """A process that listens on PORT, its output in a log, stopped with all its children.

    It sees nothing of our own environment but PATH, HOME and LANG.
    """
    log = folder / "output.log"
    inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    with log.open("wb") as output:
        child = _child(
            command,
            core,
            env=inherited | {"PYTHONPATH": str(ROOT)} | dict(environment) | {"PORT": str(port)},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        with child as process:
            yield Running(name, port, process, log)


def ignore(_: Report) -> None:
    """For whoever wants to know of the end only."""


def run_job(job: Job, core: int | None, on_report: Callable[[Report], None] = ignore) -> Report:
    """Let a load generator do a job. Raises BenchError where an answer was wrong, late or cut."""
    report = Report(event="error")
    command = [sys.executable, "-m", "bench.load"]
    with _child(command, core, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        deadline = Timer(job.seconds + _SPARE_SECONDS, process.kill)
        deadline.start()
        try:
            if process.stdin and process.stdout:
                process.stdin.write(msgspec.json.encode(job))
                process.stdin.close()
                for line in process.stdout:
                    report = msgspec.json.decode(line, type=Report)
                    on_report(report)
        finally:
            deadline.cancel()
    if report.event != "done":
        raise BenchError(report.error or "the load generator died or took far too long")
    return report


@contextmanager
def _child(command: Sequence[str], core: int | None, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    with ExitStack() as stack:
        with _uninterrupted(), on_core(core):
            process = subprocess.Popen(command, start_new_session=True, **options)  # noqa: S603
            stack.callback(_stop, process)
        yield process


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until what is being started is sure to be stopped again."""
    held: list[tuple[int, FrameType | None]] = []
    before = {number: signal.signal(number, lambda *which: held.append(which)) for number in _INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for which, frame in held[:1]:
        handler = before[signal.Signals(which)]
        if callable(handler):
            handler(which, frame)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the whole group to end, then make it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_STOP_SECONDS)
        except (ProcessLookupError, PermissionError, subprocess.TimeoutExpired):
            continue
    process.wait()
