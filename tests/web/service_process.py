"""The service as the operator starts it: `run.py` in a process of its own."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

RUN = Path(__file__).parents[2] / "run.py"


class ServiceProcess:
    """Listens on `port` of 127.0.0.1; `said` is what it has written so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._lines: list[str] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def said(self) -> str:
        return "".join(self._lines)

    async def listen(self) -> None:
        """Wait until it answers, then go on reading what it says."""
        while not self.port:
            line = await self._read_line()
            assert line, self.said
            found = re.search(r"listening on http://[^ ]*:(\d+)", line)
            self.port = int(found[1]) if found else 0
        self._reading = asyncio.create_task(self._read_all())

    async def crash(self) -> str:
        """End it without a word of warning; what it has said."""
        return await self._end(self._process.kill)

    async def stop(self) -> str:
        return await self._end(self._process.terminate)

    async def _end(self, end: Callable[[], None]) -> str:
        if self._process.returncode is None:
            end()
        await self._process.wait()
        await self._reading
        return self.said

    async def _read_all(self) -> None:
        while await self._read_line():
            pass

    async def _read_line(self) -> str:
        stream = self._process.stderr
        line = (await stream.readline()).decode() if stream else ""
        self._lines.append(line)
        return line


@asynccontextmanager
async def run_service(folder: Path, **settings: str) -> AsyncIterator[ServiceProcess]:
    """Run it with these settings and nothing of the environment, its data in the folder."""
    data = {"DATABASE_URL": f"sqlite:///{folder}/data/service.db", "FILES_DIR": f"{folder}/data/files"}
    environment = {"PATH": os.environ["PATH"], "PORT": "0", "OPENAI_API_KEY": "sk-test", **data, **settings}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(RUN),
        env=environment,
        cwd=folder,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    service = ServiceProcess(process)
    try:
        await service.listen()
        yield service
    finally:
        await service.crash()
