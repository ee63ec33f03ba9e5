"""The lines of the house: who imports whom, what is known where, how long a piece of code may be."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from dataclasses import fields
from io import StringIO
from pathlib import Path

import pytest
from dotenv import dotenv_values

from service.settings import Settings

ROOT = Path(__file__).parent.parent
SOURCES = sorted([ROOT / "run.py", *(ROOT / "service").rglob("*.py")])
EVERYWHERE = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
# Each room may know those that stand in its line, and the ground floor: the modules of `service` itself.
MAY_KNOW = {
    "run": {"app", "web", "domain", "demo"},
    "app": {"web", "domain", "storage", "upstream", "wechat"},
    "web": {"domain", "storage", "upstream", "wechat"},
    "domain": {"storage", "upstream", "wechat"},
    "storage": set(),
    "upstream": set(),
    "wechat": set(),
    "demo": set(),
    "ground": set(),
}
ROOMS = {"app", "web", "domain", "storage", "upstream", "wechat", "demo"}
SPEAKS_HTTP = {"run", "app", "web", "demo"}
ASKS_OTHERS = {"upstream", "wechat"}
STATEMENT = re.compile(
    r"^\s*(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s.+\sSET|DELETE\s+FROM|CREATE\s+(TABLE|INDEX)|PRAGMA|BEGIN\s+IMMEDIATE)\b",
    re.DOTALL,
)
LONGEST_FUNCTION, LONGEST_FILE = 50, 260


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return room_of_module(".".join(parts))


def room_of_module(module: str) -> str:
    """`web` for service.web.chat, `ground` for service.errors."""
    parts = module.split(".")
    if parts[0] == "run":
        return "run"
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else "ground"


def imported(path: Path) -> Iterator[str]:
    """The modules and names that a file imports, with dots: `aiohttp.web`, `service.errors.NotFound`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: say whole names"
            yield from (f"{node.module}.{name.name}" for name in node.names)


@EVERYWHERE
def test_imports_run_downward_and_the_edges_do_not_know_each_other(path: Path):
    room = room_of(path)
    allowed = MAY_KNOW[room] | {room, "ground"}
    known = {room_of_module(name) for name in imported(path) if name.split(".")[0] == "service"}
    assert known <= allowed


@EVERYWHERE
def test_the_server_is_known_where_http_is_spoken_and_the_client_where_others_are_asked(path: Path):
    names = [name for name in imported(path) if name.split(".")[0] == "aiohttp"]
    room = room_of(path)
    serves = [name for name in names if name.startswith("aiohttp.web")]
    asks = [name for name in names if "Client" in name or name.startswith("aiohttp.client")]
    assert not serves or room in SPEAKS_HTTP
    assert not asks or room in ASKS_OTHERS
    assert not names or room in SPEAKS_HTTP | ASKS_OTHERS


@EVERYWHERE
def test_sql_is_in_its_room_alone(path: Path):
    if room_of(path) == "storage":
        return
    assert not [name for name in imported(path) if name.split(".")[0] in ("sqlite3", "asyncpg")]
    texts = [node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)]
    assert not [text for text in texts if isinstance(text, str) and STATEMENT.match(text)]


@EVERYWHERE
def test_the_environment_is_read_at_the_door_alone(path: Path):
    if room_of(path) == "run":
        return
    source = path.read_text("utf-8")
    assert "os.environ" not in source
    assert "getenv" not in source


@EVERYWHERE
def test_a_file_is_read_in_one_sitting_and_a_function_at_a_glance(path: Path):
    source = path.read_text("utf-8")
    assert source.count("\n") <= LONGEST_FILE
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name


@EVERYWHERE
def test_every_module_says_what_it_is_for(path: Path):
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


def test_the_example_of_settings_has_every_setting_with_its_default_and_no_other():
    example = (ROOT / ".env.example").read_text("utf-8")
    every_line = re.sub(r"^#(?=[A-Z_]+=)", "", example, flags=re.MULTILINE)
    told = dotenv_values(stream=StringIO(every_line), interpolate=False)
    assert set(told) == {field.name.upper() for field in fields(Settings)}
    assert Settings.from_mapping(told) == Settings()


def test_the_example_of_settings_begins_with_those_of_the_seed_and_says_of_each_what_it_does():
    example = (ROOT / ".env.example").read_text("utf-8")
    assert list(dotenv_values(stream=StringIO(example))) == [
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "OPENAI_MODEL",
        "PORT",
    ]
    lines = example.splitlines()
    for before, line in itertools.pairwise(lines):
        if re.match(r"#?[A-Z_]+=", line):
            assert before.startswith("# "), line


def test_a_fresh_copy_brings_all_that_runs():
    """What is not a module is installed only where setup.cfg names it."""
    setup = (ROOT / "setup.cfg").read_text("utf-8")
    patterns = re.findall(
        r"^    (\w+/\S+)$", setup.partition("[options.package_data]")[2].partition("\n[")[0], re.MULTILINE
    )
    files = [path for path in (ROOT / "service").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    left_out = [
        path for path in files if not any(path in set((ROOT / "service").glob(pattern)) for pattern in patterns)
    ]
    assert files
    assert not left_out
