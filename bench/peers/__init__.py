"""Other stacks that do the same hop, each in a small file of its own: started only when asked for by name.

What a peer needs is installed into a cache folder; one that cannot be installed is skipped and says why.
"""

from __future__ import annotations

from collections.abc import Callable

from bench.peers import express, fastapi, fastify, litellm, nginx
from bench.peers.install import CannotInstallError
from bench.processes import BenchError
from bench.stage import say
from bench.subjects import Subject

_PEERS: dict[str, Callable[[], Subject]] = {
    "express": express.subject,
    "fastify": fastify.subject,
    "fastapi": fastapi.subject,
    "litellm": litellm.subject,
    "nginx": nginx.subject,
}
NAMES = tuple(_PEERS)


def prepare(names: list[str]) -> tuple[list[Subject], list[str]]:
    """The peers that can be started, and why the others cannot. Raises BenchError for a name that means nothing."""
    subjects: list[Subject] = []
    skipped: list[str] = []
    for name in names:
        if name not in _PEERS:
            raise BenchError(f"--with {name}: there are {', '.join(NAMES)}")
        say(f"preparing {name}")
        try:
            subjects.append(_PEERS[name]())
        except CannotInstallError as error:
            skipped.append(f"{name}: {error}")
            say(f"  skipped: {error}")
    return subjects, skipped
