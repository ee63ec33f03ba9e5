"""run.py in a process of its own, with nothing of our environment: while it runs, and when it will not."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.web.service_process import RUN, ServiceProcess


async def begin(
    folder: Path, *arguments: str, run: Path = RUN, largest_file_bytes: int | None = None, **environment: str
) -> asyncio.subprocess.Process:
    """Start it in a folder, on a disk that is full beyond so many bytes a file."""

    def bound_files() -> None:
        if largest_file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file_bytes, largest_file_bytes))

    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(run),
        *arguments,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(RUN.parent), "PORT": "0", **environment},
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=bound_files,
    )


@asynccontextmanager
async def running(folder: Path, *arguments: str, **options: Any) -> AsyncIterator[ServiceProcess]:
    """The service once it listens; killed at the end where it still runs."""
    service = ServiceProcess(await begin(folder, *arguments, **options))
    try:
        await service.listen()
        yield service
    finally:
        await service.crash()


async def refusal(folder: Path, *arguments: str, **options: Any) -> str:
    """The one sentence of a start that fails."""
    process = await begin(folder, *arguments, **options)
    async with asyncio.timeout(20):
        said, told = await process.communicate()
    assert (process.returncode, said) == (1, b""), told.decode()
    (sentence,) = told.decode().splitlines()
    assert sentence.startswith("The service cannot start. ")
    return sentence.removeprefix("The service cannot start. ")
