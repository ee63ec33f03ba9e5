"""Express with the official SDK: the stack of the seed."""

from __future__ import annotations

from pathlib import Path

from bench.peers.install import node_folder, program
from bench.subjects import Subject

_PACKAGES = ["express@5", "openai@6"]


def subject() -> Subject:
    node = program("node")
    folder = node_folder("express", Path(__file__).with_name("express.mjs"), _PACKAGES)
    return Subject(
        name="Express, openai SDK",
        command=(node, str(folder / "express.mjs")),
        environment={"NODE_ENV": "production", "UPSTREAM_URL": "{upstream}"},
    )
