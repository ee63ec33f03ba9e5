"""FastAPI with the official SDK on uvicorn: the usual Python answer."""

from __future__ import annotations

from pathlib import Path

from bench.peers.install import python_folder
from bench.subjects import Subject

_PACKAGES = ["fastapi>=0.115,<1", "openai>=2,<3", "uvicorn[standard]"]


def subject() -> Subject:
    folder = python_folder("fastapi", _PACKAGES)
    words = "--host 127.0.0.1 --port {port} --no-access-log --log-level warning --timeout-keep-alive 600"
    return Subject(
        name="FastAPI, openai SDK",
        command=(str(folder / "uvicorn"), "fastapi_app:app", *words.split()),
        environment={"UPSTREAM_URL": "{upstream}"},
        files={"fastapi_app.py": Path(__file__).with_name("fastapi_app.py").read_text()},
    )
