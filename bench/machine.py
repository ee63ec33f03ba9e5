"""The machine: its cores, what /proc tells of a process, and what it is in words.

Where the system cannot pin (macOS) nothing is pinned, and where there is no /proc the figures from it are NaN.
"""

from __future__ import annotations

import os
import platform
import resource
import socket
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

_FLUSHES = 50


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core the server has, and which the upstream and the load share. None: not pinned."""

    server: int | None
    load: int | None

    @classmethod
    def choose(cls) -> Cores:
        """The first two cores that this process may use, and this process itself out of the server's way."""
        if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
            return cls(None, None)
        server, load = sorted(os.sched_getaffinity(0))[:2]
        os.sched_setaffinity(0, {load})
        return cls(server, load)


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Started inside this, a process is on that core from its first instruction."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def allow_open_files() -> int:
    """Raise the number of open files to the most that the system lets us have; children inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def group_members(group_id: int) -> list[int]:
    """The processes of a group that are not zombies."""
    members = []
    for entry in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(entry.name))
        if fields and int(fields[2]) == group_id and fields[0] != "Z":
            members.append(int(entry.name))
    return members


def cpu_seconds(process_id: int) -> float:
    return sum(map(int, _stat(process_id)[11:13])) / os.sysconf("SC_CLK_TCK")


def resident_kib(process_id: int) -> float:
    return _status_kib(process_id, "VmRSS:")


def peak_kib(process_id: int) -> float:
    """The most that was ever resident. Source: proc_pid_status(5)."""
    return _status_kib(process_id, "VmHWM:")


def _status_kib(process_id: int, field: str) -> float:
    try:
        lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return float(next((line.split()[1] for line in lines if line.startswith(field)), 0))


def _stat(process_id: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name, which may hold anything. Source: proc_pid_stat(5)."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def described(cores: Cores, folder: Path) -> list[str]:
    """The machine and the versions, in words."""
    pinned = (
        f"server pinned to core {cores.server}, upstream and load to core {cores.load}"
        if cores.server is not None
        else "nothing pinned: one core, or a system that cannot"
    )
    libraries = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "uvloop", "msgspec"))
    return [
        f"{os.cpu_count()} cores, {_cpu_model()}, {platform.system()} {platform.release()}; {pinned}",
        f"{platform.python_implementation()} {platform.python_version()} ({platform.python_compiler()}), {libraries}, "
        f"SQLite {sqlite3.sqlite_version}; store on {_filesystem(folder)}, where a flush to the disk takes "
        f"{_flush_ms(folder):.2f} ms (median)",
    ]


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown CPU"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown CPU")


def _filesystem(folder: Path) -> str:
    """The kind of the mount that the folder is below. Source: proc_pid_mounts(5)."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "an unknown file system"
    above = {str(folder.resolve()), *map(str, folder.resolve().parents)}
    return max((len(place), kind) for place, kind in mounts if place in above)[1]


def _flush_ms(folder: Path) -> float:
    """What durability costs here at the least: every turn waits for two such flushes, alone or with others."""
    taken = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_FLUSHES):
            file.write(bytes(4096))
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1000
