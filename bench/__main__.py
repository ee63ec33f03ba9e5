"""`python -m bench`: measure, and leave a Markdown table and an SVG chart. `python -m bench soak` for the long one."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import peers, soak
from bench.chart import svg
from bench.figures import KEYS
from bench.fresh import measure_memory, measure_starts
from bench.growth import measure_growth
from bench.machine import Cores, allow_open_files, described
from bench.pictures import measure_pictures
from bench.processes import ROOT, BenchError
from bench.rates import measure_rates
from bench.report import markdown
from bench.stage import Plan, Stage, say, staged
from bench.subjects import BARE, SERVICE, Subject, own_subjects

_RATES = ("chat", "stream", "latency", "history")
_MAIN = (BARE, SERVICE)


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    allow_open_files()
    cores = Cores.choose()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.folder) as folder:
        try:
            run: Callable[[argparse.Namespace, Cores, Path], int] = options.run
            return run(options, cores, Path(folder))
        except BenchError as error:
            say(f"bench failed: {error}")
            return 1
        except KeyboardInterrupt:
            say("bench stopped")
            return 130


def _interrupt(*_: object) -> None:
    """Once: while everything is being stopped, another Ctrl-C must not leave the half of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--folder", help="where stores and logs are kept while it runs (the system's temporary folder)")
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "bench", help="where RESULTS.md and .svg go")
    parser.set_defaults(run=_compare)
    parser.add_argument("--quick", action="store_true", help="one short round: does it run at all")
    parser.add_argument("--only", type=_names, default=[], help=f"measures of {','.join(KEYS)}; subjects too")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each load")
    parser.add_argument("--rows", type=int, default=1_000_000, help="turns in the large store of growth")
    parser.add_argument("--slow-streams", type=int, default=1000, help="open at once for memory")
    parser.add_argument("--with", dest="peers", type=_names, default=[], help=f"others: {','.join(peers.NAMES)}")
    soaking = parser.add_subparsers(title="the long one").add_parser("soak", help="slow streams, all verified")
    soaking.add_argument("--streams", type=int, default=2000)
    soaking.add_argument("--seconds", type=float, default=600.0)
    soaking.set_defaults(run=_soak)
    return parser.parse_args()


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _compare(options: argparse.Namespace, cores: Cores, folder: Path) -> int:
    plan = Plan(
        rounds=1 if options.quick else options.rounds,
        seconds=0.5 if options.quick else options.seconds,
        rows=20_000 if options.quick else options.rows,
        slow_streams=200 if options.quick else options.slow_streams,
        repeats=20 if options.quick else 300,
    )
    others, skipped = peers.prepare(options.peers)
    subjects = _wanted([*own_subjects(), *others], options.only)
    keys = [key for key in KEYS if key in options.only] or list(KEYS)
    if not any(subject.is_service for subject in subjects):
        skipped.append("the service: not asked for, or there is no run.py")
    with staged(plan, cores, folder, subjects) as stage:
        _measure(stage, subjects, keys)
    facts = [f"{datetime.now(UTC):%Y-%m-%d}, {plan.rounds} rounds of {plan.seconds:g} s", *described(cores, folder)]
    text = markdown(stage.figures, facts, skipped)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "RESULTS.md").write_text(text + "\n![The same as a chart](RESULTS.svg)\n")
    (options.out / "RESULTS.svg").write_text(svg(stage.figures))
    print(text)
    say(f"written to {options.out}")
    return 0


def _wanted(subjects: list[Subject], only: list[str]) -> list[Subject]:
    """Raises BenchError for a name that means nothing."""
    names = [name for name in only if name not in KEYS]
    for name in names:
        if not any(name in subject.name for subject in subjects):
            raise BenchError(f"--only {name}: neither a measure ({', '.join(KEYS)}) nor part of a subject's name")
    return [subject for subject in subjects if not names or any(name in subject.name for name in names)]


def _measure(stage: Stage, subjects: list[Subject], keys: list[str]) -> None:
    plain = [subject for subject in subjects if subject.plain]
    one_service = [subject for subject in plain if not subject.is_service or subject.name in _MAIN]
    services = [subject for subject in one_service if subject.is_service]
    steps: list[tuple[tuple[str, ...], Callable[[], None]]] = [
        (("start",), lambda: measure_starts(stage, one_service)),
        (("memory",), lambda: measure_memory(stage, one_service)),
        (("pictures",), lambda: measure_pictures(stage, services)),
        (_RATES, lambda: measure_rates(stage, subjects, keys)),
        (("growth",), lambda: measure_growth(stage, services)),
    ]
    for names, step in steps:
        if any(name in keys for name in names):
            step()


def _soak(options: argparse.Namespace, cores: Cores, folder: Path) -> int:
    plan = Plan(rounds=1, seconds=options.seconds, rows=0, slow_streams=options.streams, repeats=0)
    with staged(plan, cores, folder) as stage:
        text, flat = soak.measure_soak(stage)
    facts = [f"{datetime.now(UTC):%Y-%m-%d}", *described(cores, folder)]
    text = "\n".join(["# Many slow streams", "", *(f"- {fact}" for fact in facts), "", text])
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "SOAK.md").write_text(text + "\n")
    print(text)
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
