"""Installing a peer into a cache folder, once: npm and pip as anyone would call them, with a time limit."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

_LIMIT_SECONDS = 600


class CannotInstallError(Exception):
    """The text says what is missing or what the installer said last."""


def program(name: str) -> str:
    """The path of a program that must be there already."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise CannotInstallError(f"there is no {name} on this machine")
    return found


def node_folder(name: str, source: Path, packages: list[str]) -> Path:
    """A folder with a copy of the peer's script and the packages it imports."""
    folder = _cache(name, packages)
    if not (folder / "ready").exists():
        _run([program("npm"), "install", "--no-audit", "--no-fund", "--prefix", str(folder), *packages])
        (folder / "ready").touch()
    shutil.copy(source, folder / source.name)
    return folder


def python_folder(name: str, packages: list[str]) -> Path:
    """The bin folder of a virtual environment with the packages."""
    folder = _cache(name, packages)
    if not (folder / "ready").exists():
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(folder / "bin" / "pip"), "install", "--quiet", *packages])
        (folder / "ready").touch()
    return folder / "bin"


def _cache(name: str, packages: list[str]) -> Path:
    """A folder for exactly these packages."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    mark = hashlib.sha256(" ".join([sys.version, *packages]).encode()).hexdigest()[:8]
    folder = base / "mini-program-ai-backend-bench" / f"{name}-{mark}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotInstallError(str(error)) from None
    if done.returncode:
        raise CannotInstallError(f"{Path(command[0]).name} failed: {done.stderr.strip()[-300:]}")
