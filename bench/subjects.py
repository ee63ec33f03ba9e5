"""What is compared: how each subject is started and spoken to. The service first, then the two bare references."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path

import jwt

from bench.machine import free_port
from bench.processes import ROOT, Running, running
from bench.script import MODEL
from service.settings import Settings

USERS = 64
BARE = "bare aiohttp"
BARE_READS = "bare aiohttp, whole reads"
SERVICE = "service, AUTH=required"
FILES = "files"  # in the working folder
_SECRET = "the-benchmark-signs-its-own-tokens-with-this"  # noqa: S105 - opens nothing but a store that is thrown away

# Everything that limits is on, and set so high that it never refuses. The empty values are the defaults, whatever the
# operator's own `.env` says.
_SERVICE_SETTINGS = {entry.name.upper(): "" for entry in fields(Settings)} | {
    "HOST": "127.0.0.1",
    "DATABASE_URL": "sqlite:///bench.db",
    "FILES_DIR": FILES,
    "AUTH_SECRET": _SECRET,
    "RATE_LIMIT": "1000000/second",
    "IP_RATE_LIMIT": "1000000/second",
    "MAX_TURNS_PER_USER": "100000",
    "MAX_TURNS": "100000",
    "HEADER_TIMEOUT_SECONDS": "120",
    "MAX_CONNECTIONS": "100000",
    "MAX_CONNECTIONS_PER_ADDRESS": "100000",
    "DAILY_TURNS": "1000000000",
    "DAILY_TOKENS": "1000000000000",
    "SHUTDOWN_GRACE_SECONDS": "2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One thing to measure.

    Shape: in `command`, `environment` and `files`, `{port}`, `{upstream}` (a base URL) and `{host}` (its address) are
    filled in at the start. `path` begins with `/v1` where OpenAI's own form is spoken; `secret` signs users' tokens.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    path: str = "/api/chat"
    secret: str = ""
    plain: bool = True
    ready_seconds: float = 30.0

    @property
    def is_service(self) -> bool:
        return self.name.startswith("service")

    def chat(self, message: str, *, user: int = 0, stream: bool = False) -> bytes:
        """POST a chat as one of the users, as bytes of HTTP."""
        form: dict[str, object] = {"model": MODEL} if self.path.startswith("/v1") else {"openid": openid(user)}
        form |= {"stream": True} if stream else {}
        return self._post(self.path, user, form | {"messages": [{"role": "user", "content": message}]})

    def image(self, prompt: str, *, user: int = 0) -> bytes:
        """POST an image request that is answered with links."""
        form: dict[str, object] = {"openid": openid(user), "prompt": prompt, "response_format": "url"}
        return self._post("/api/image", user, form)

    def history(self, user: int) -> bytes:
        return self._request("GET", f"/api/history/{openid(user)}?limit=20", user)

    def _post(self, path: str, user: int, form: dict[str, object]) -> bytes:
        body = json.dumps(form).encode()
        head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return self._request("POST", path, user, head) + body

    def _request(self, method: str, path: str, user: int, head: str = "") -> bytes:
        if self.secret:
            head += f"Authorization: Bearer {_token(user, self.secret)}\r\n"
        return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n".encode()


def openid(user: int) -> str:
    return f"bench-user-{user}"


def service(auth: str) -> Subject:
    return Subject(
        name=f"service, AUTH={auth}",
        command=(sys.executable, str(ROOT / "run.py")),
        environment=_SERVICE_SETTINGS
        | {"AUTH": auth, "OPENAI_API_KEY": "sk-bench", "OPENAI_BASE_URL": "{upstream}", "OPENAI_MODEL": MODEL},
        secret=_SECRET if auth == "required" else "",
    )


def own_subjects() -> list[Subject]:
    """The reference, its variant for streams, and the service in its three ways of asking who is there."""
    bare = (sys.executable, "-m", "bench.bare")
    upstream = {"UPSTREAM_URL": "{upstream}"}
    subjects = [
        Subject(name=BARE, command=bare, environment=upstream),
        Subject(name=BARE_READS, command=bare, environment=upstream, path="/api/chat/reads", plain=False),
    ]
    if (ROOT / "run.py").exists():
        subjects += [service("required"), service("local"), service("open")]
    return subjects


def upstream_subject() -> Subject:
    """The upstream itself, to be asked directly."""
    return Subject(
        name="upstream, asked directly", command=(sys.executable, "-m", "bench.upstream"), path="/v1/chat/completions"
    )


@contextmanager
def started(subject: Subject, upstream_url: str, folder: Path, core: int | None) -> Iterator[Running]:
    """The subject, with `folder` as its working folder and the place of its store."""
    port = free_port()

    def filled(text: str) -> str:
        host = upstream_url.removeprefix("http://").removesuffix("/v1")
        return text.replace("{port}", str(port)).replace("{upstream}", upstream_url).replace("{host}", host)

    for name, text in subject.files.items():
        (folder / name).write_text(filled(text))
    command = [filled(word) for word in subject.command]
    environment = {name: filled(value) for name, value in subject.environment.items()}
    with running(subject.name, command, environment, folder, port=port, core=core) as server:
        yield server


def _token(user: int, secret: str) -> str:
    now = int(time.time())
    return jwt.encode({"sub": openid(user), "iat": now, "exp": now + 86400}, secret, algorithm="HS256")
