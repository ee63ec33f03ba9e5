"""What the page is made of, and the client file: served right, without a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.web import playground
from tests.web.conftest import Api, Start

STATIC = Path(playground.__file__).parent / "static"
FOLDER = STATIC / "playground"
PARTS = sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".js", ".css", ".svg"))
LIBRARIES = sorted(path.name for path in (FOLDER / "vendor").iterdir() if path.suffix in (".js", ".mjs"))
ALL = [*(f"/playground/{name}" for name in PARTS), *(f"/playground/vendor/{name}" for name in LIBRARIES)]
TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
PAGE = (FOLDER / "index.html").read_text()
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob: https:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


# The page


async def test_the_page_is_served_under_a_policy_that_runs_files_of_ours_only(api: Api):
    async with api.client.get("/") as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        assert response.headers["Content-Security-Policy"] == POLICY
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-cache"
        assert await response.text() == PAGE


def test_the_page_has_nothing_inline_that_its_policy_would_refuse():
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", PAGE) == []


async def test_the_page_names_only_parts_of_its_own_and_all_are_there(api: Api):
    named = set(re.findall(r'(?:src|href)="(?![#/])([^"]+)"', PAGE))
    assert {"playground/app.js", "playground/base.css", "chat-client.js"} <= named
    for part in named:
        assert not re.match(r"\w+:|//", part)
        async with api.client.get("/" + part) as response:
            assert response.status == 200


def test_the_page_tells_of_every_module_so_that_none_waits_for_another():
    preloaded = set(re.findall(r'<link rel="modulepreload" href="([^"]+)"', PAGE))
    modules = {f"playground/{name}" for name in PARTS if name.endswith(".js")}
    started = {"playground/app.js", "playground/first-paint.js"}
    libraries = {"playground/vendor/marked.esm.js", "playground/vendor/purify.es.mjs"}
    assert preloaded == modules - started | libraries | {"chat-client.js"}


@pytest.mark.parametrize("path", ALL)
async def test_a_part_is_of_its_type_and_is_not_sent_again_to_who_has_it(api: Api, path: str):
    async with api.client.get(path) as response:
        assert response.status == 200
        assert response.content_type == TYPES[Path(path).suffix]
        assert response.headers["Cache-Control"] == "no-cache"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        tag = response.headers["ETag"]
    async with api.client.get(path, headers={"If-None-Match": tag}) as response:
        assert response.status == 304


@pytest.mark.parametrize(
    "path",
    [
        "/playground/nothing.js",
        "/playground/index.html",
        "/playground/vendor",
        "/playground/..%2fchat-client.js",
        "/playground/vendor%2fmarked.esm.js",
        "/playground/vendor/marked.LICENSE",
        "/playground/vendor/..%2fapp.js",
    ],
)
async def test_nothing_else_is_served(api: Api, path: str):
    status, envelope = await api.get(path)
    assert (status, envelope["data"]["type"]) == (404, "route_not_found")


async def test_it_can_be_turned_off_and_the_client_file_stays(start: Start):
    api = await start(PLAYGROUND="off")
    for path in ("/", *ALL):
        status, envelope = await api.get(path)
        assert (status, envelope["code"], envelope["data"]["type"]) == (404, 404, "route_not_found")
    for path in ("/chat-client.js", "/chat-client.cjs", "/chat-client.d.ts"):
        async with api.client.get(path) as response:
            assert response.status == 200


@pytest.mark.parametrize("library", sorted({name.split(".")[0] for name in LIBRARIES}))
def test_what_is_vendored_has_its_licence_beside_it(library: str):
    licence = {"purify": "dompurify"}.get(library, library)
    assert "opyright" in (FOLDER / "vendor" / f"{licence}.LICENSE").read_text()


# Its texts


def test_every_text_is_there_and_none_is_left_over():
    texts = (FOLDER / "texts.js").read_text()
    table = texts[texts.index("const TEXTS") : texts.index("\n};")]
    known = set(re.findall(r"^  (\w+): \[", table, re.MULTILINE))
    sources = "".join(path.read_text() for path in FOLDER.glob("*.js") if path.name != "texts.js") + PAGE
    words = set(re.findall(r"['\"](\w+)['\"]", sources)) | {"usage_turns", "usage_tokens", "usage_images"}
    assert known - words == set()
    asked_for = re.findall(r"\b(?:text|label|hint): '(\w+)'|\bt\('(\w+)'|data-(?:text|label)=\"(\w+)\"", sources)
    assert {word for found in asked_for for word in found if word} - known == set()


def test_every_text_is_told_in_chinese_and_in_english():
    texts = (FOLDER / "texts.js").read_text()
    pairs = re.findall(r"^  (\w+): \['(.*)', '(.*)'\],$", texts, re.MULTILINE)
    same_in_both = {"usage_tokens", "tokens", "chinese", "english"}
    assert len(pairs) > 90
    for key, chinese, english in pairs:
        if key not in {"switch_language", "other_language", *same_in_both}:
            assert re.search(r"[\u4e00-\u9fff]", chinese), key
            assert not re.search(r"[\u4e00-\u9fff]", english), key


# The client file


async def test_the_client_file_is_served_to_import(api: Api):
    async with api.client.get("/chat-client.js", headers={"Origin": "https://shop.example"}) as response:
        assert response.content_type == "text/javascript"
        assert await response.read() == (STATIC / "chat-client.js").read_bytes()
        assert response.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert "ETag" in response.headers


async def test_the_client_file_is_served_to_require(api: Api):
    source = (STATIC / "chat-client.js").read_text()
    async with api.client.get("/chat-client.cjs") as response:
        assert response.content_type == "text/javascript"
        assert response.headers["Cache-Control"] == "no-cache"
        tag = response.headers["ETag"]
        *lines, last = (await response.text()).splitlines()
    assert lines == source.splitlines()[:-1]
    assert last == "module.exports = { ChatClient, ChatError };"
    async with api.client.get("/chat-client.cjs", headers={"If-None-Match": tag}) as response:
        assert (response.status, await response.read()) == (304, b"")
    async with api.client.get("/chat-client.cjs", headers={"If-None-Match": '"other"'}) as response:
        assert response.status == 200


async def test_the_types_of_the_client_file_can_be_read(api: Api):
    async with api.client.get("/chat-client.d.ts") as response:
        assert response.content_type == "text/plain"
        assert "export declare class ChatClient" in await response.text()
