"""The page that shows the API, and the table of errors."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from service import errors
from service.errors import ServiceError
from service.messages import MESSAGES
from tests.web.conftest import Api

SERVICE = Path(errors.__file__).parent
VENDORED = SERVICE / "web" / "static" / "docs"
TABLE = SERVICE.parent / "docs" / "errors.md"


# The page


async def parts_of_the_page(api: Api) -> list[str]:
    async with api.client.get("/docs") as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        return re.findall(r'(?:src|href)="(?!data:)([^"]+)"', await response.text())


async def test_the_page_names_only_parts_of_its_own_and_all_are_there(api: Api):
    parts = await parts_of_the_page(api)
    assert "docs/swagger-ui-bundle.js" in parts
    for part in parts:
        assert not re.match(r"\w+:|//", part)
        async with api.client.get("/" + part) as response:
            assert response.status == 200
            assert await response.read()


async def test_the_policy_lets_nothing_run_that_is_not_a_file_of_ours(api: Api):
    for path in ("/docs", "/docs/initializer.js"):
        async with api.client.get(path) as response:
            policy = dict(rule.split(" ", 1) for rule in response.headers["Content-Security-Policy"].split("; "))
            assert policy["default-src"] == "'none'"
            assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
            assert "unsafe" not in response.headers["Content-Security-Policy"]
            assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_page_has_nothing_inline_that_its_policy_would_refuse(api: Api):
    async with api.client.get("/docs") as response:
        page = await response.text()
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page) == []


@pytest.mark.parametrize("name", ["swagger-ui.css", "swagger-ui-bundle.js"])
async def test_the_large_parts_are_kept_and_sent_compressed(api: Api, name: str):
    kept = (VENDORED / f"{name}.gz").read_bytes()
    async with api.client.get(f"/docs/{name}") as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert int(response.headers["Content-Length"]) == len(kept)
        assert response.content_type in ("text/css", "text/javascript")


async def test_a_part_that_is_known_already_is_not_sent_again(api: Api):
    async with api.client.get("/docs/swagger-ui.css") as response:
        tag = response.headers["ETag"]
    async with api.client.get("/docs/swagger-ui.css", headers={"If-None-Match": tag}) as response:
        assert response.status == 304


@pytest.mark.parametrize("name", ["nothing.js", "index.html", "LICENSE", "..%2fopenapi.py", "swagger-ui.css.gz"])
async def test_nothing_else_is_served(api: Api, name: str):
    status, envelope = await api.get(f"/docs/{name}")
    assert (status, envelope["data"]["type"]) == (404, "route_not_found")


def test_what_is_vendored_has_its_licence_beside_it():
    assert "Apache License" in (VENDORED / "LICENSE").read_text()
    assert "SmartBear" in (VENDORED / "NOTICE").read_text()
    assert "MIT" in (VENDORED / "swagger-ui-bundle.js.LICENSE.txt").read_text()


# The table of errors


def rows_of_the_table() -> dict[str, list[str]]:
    rows = [line.strip("| ").split(" | ") for line in TABLE.read_text().splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): row[1:] for row in rows}


def kinds_below(kind: type[ServiceError]) -> dict[str, type[ServiceError]]:
    found = {kind.__name__: kind}
    for below in kind.__subclasses__():
        if below.__module__.startswith("service."):
            found |= kinds_below(below)
    return found


def all_failures() -> set[tuple[str, int]]:
    """What the service can answer, type and code: what a class stands for, and what is named where one is made."""
    kinds = kinds_below(ServiceError)
    found = {(kind.default_type, kind.code) for kind in kinds.values()}
    for path in SERVICE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds and node.args:
                words = [part.value for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)]
                found |= {(word, kinds[node.func.id].code) for word in words if isinstance(word, str)}
    return found


def test_every_type_of_error_is_in_the_table_and_the_other_way_round():
    assert set(rows_of_the_table()) == set(MESSAGES)


@pytest.mark.parametrize("type_", MESSAGES)
def test_the_table_tells_what_clients_are_told(type_: str):
    _, chinese, english, advice = rows_of_the_table()[type_]
    assert (chinese, english) == MESSAGES[type_]
    assert " · " in advice


def test_the_table_has_the_codes_that_are_really_answered():
    told = {(type_, int(code)) for type_, row in rows_of_the_table().items() for code in row[0].split(", ")}
    assert told == all_failures()
