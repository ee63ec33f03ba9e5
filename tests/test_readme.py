"""Both READMEs say the same, and nothing that is no longer true."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from service.settings import Settings
from service.web.routes import ROUTES

ROOT = Path(__file__).parent.parent
ENGLISH, CHINESE = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh.md"))
READMES = pytest.mark.parametrize("readme", [ENGLISH, CHINESE], ids=["en", "zh"])
SETTING = re.compile(r"`([A-Z][A-Z_]{3,})[`=]")


def blocks(readme: str) -> list[str]:
    """The code, without comments: those are in the language of the page."""
    found = re.findall(r"```\w*\n(.*?)```", readme, re.DOTALL)
    return [re.sub(r"^\s*#.*\n", "", block, flags=re.MULTILINE) for block in found]


def test_both_show_the_same_code():
    assert blocks(ENGLISH) == blocks(CHINESE)


def test_both_have_the_same_sections_and_table_rows():
    for part in (r"^#+ ", r"^\| ", r"^- \[ \]", r"^\d\. "):
        assert len(re.findall(part, ENGLISH, re.MULTILINE)) == len(re.findall(part, CHINESE, re.MULTILINE)), part


@READMES
def test_every_setting_is_told_and_no_other(readme: str):
    known = {field.name.upper() for field in fields(Settings)}
    assert set(SETTING.findall(readme)) - {"POST"} == known


@READMES
def test_defaults_in_the_table_are_the_defaults(readme: str):
    assert f"`{Settings().openai_model}`" in readme
    assert f"`{Settings().port}`" in readme
    assert f"`{Settings().openai_base_url}`" in readme
    assert f"`{Settings().database_url}`" in readme


@READMES
def test_every_path_of_the_api_is_told_and_no_other(readme: str):
    told = {re.sub(r"(test|TURN_ID|\{\w+\})", "{}", path) for path in re.findall(r"/api/[\w/{}]+", readme)}
    known = {re.sub(r"\{\w+\}", "{}", route.path) for route in ROUTES if route.path.startswith("/api/")}
    shortened = {"/api/history/{}/clear", "/api/user/{}/erase", "/api/files/{}"}
    assert told <= known
    assert known - told <= shortened


@READMES
def test_every_link_to_a_file_leads_somewhere(readme: str):
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", readme):
        assert (ROOT / target).exists(), target


@READMES
def test_commands_name_files_and_options_that_exist(readme: str):
    run = (ROOT / "run.py").read_text("utf-8")
    for option in re.findall(r"run\.py ([a-z-]+)", readme):
        assert f'"{option}"' in run, option
    for path in re.findall(r"(?:deploy|\.env)[\w./-]*\.(?:service|example)", readme):
        assert (ROOT / path).exists(), path


def test_ci_runs_the_test_line_of_the_readme():
    lines = re.findall(r"^python3 -m venv .*pytest$", ENGLISH, re.MULTILINE)
    assert len(lines) == 1
    assert "README.md" in (ROOT / ".ci" / "run").read_text("utf-8")
