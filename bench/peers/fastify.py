"""Fastify with undici: the fast end of Node."""

from __future__ import annotations

from pathlib import Path

from bench.peers.install import node_folder, program
from bench.subjects import Subject

_PACKAGES = ["fastify@5", "undici@7"]


def subject() -> Subject:
    node = program("node")
    folder = node_folder("fastify", Path(__file__).with_name("fastify.mjs"), _PACKAGES)
    return Subject(
        name="Fastify, undici",
        command=(node, str(folder / "fastify.mjs")),
        environment={"NODE_ENV": "production", "UPSTREAM_URL": "{upstream}"},
    )
