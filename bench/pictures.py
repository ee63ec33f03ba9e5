"""What many large pictures on their way from the upstream to the disk take of memory: all at once, a new process and
an empty folder for every figure."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.drawn import PICTURE_BYTES
from bench.figures import PICTURES_MIB
from bench.jobs import Requests
from bench.processes import BenchError
from bench.stage import Stage, say
from bench.subjects import FILES, Subject

_PICTURES = 20
_SETTLE_SECONDS = 1.0
# Each link is told twice: as what to show and as what to download.
_LINK, _LINKS = b"/api/files/", 2


def measure_pictures(stage: Stage, subjects: list[Subject]) -> None:
    say(f"pictures: {_PICTURES} of {PICTURE_BYTES / 1e6:.0f} MB, all drawn at once")
    for subject in stage.in_turn(subjects):
        with (
            TemporaryDirectory(dir=stage.folder) as folder,
            stage.up(subject, Path(folder)) as (server, _),
        ):
            time.sleep(_SETTLE_SECONDS)
            idle = server.memory_kib()
            stage.load(_job(subject, server.port), server)
            _check_files(subject, Path(folder) / FILES)
            stage.keep(PICTURES_MIB, subject.name, (server.peak_kib() - idle) / 1024)


def _job(subject: Subject, port: int) -> Requests:
    """No time at all: every connection asks once."""
    return Requests(
        port=port,
        requests=[subject.image("noise", user=user) for user in range(_PICTURES)],
        must_have=_LINK,
        times=_LINKS,
        connections=_PICTURES,
        seconds=0,
        warmup_seconds=0,
    )


def _check_files(subject: Subject, folder: Path) -> None:
    """Raises BenchError unless every picture is there, whole."""
    sizes = [path.stat().st_size for path in folder.iterdir()]
    if sizes != [PICTURE_BYTES] * _PICTURES:
        raise BenchError(f"{subject.name}: drawn were {_PICTURES} of {PICTURE_BYTES} bytes, stored are {sizes}")
