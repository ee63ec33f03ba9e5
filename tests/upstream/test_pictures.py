from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.upstream.pictures import find_pictures, replace_links

CDN = "https://files.example/cdn"
DATA = "data:image/png;base64,iVBORw0KGgo="
STUB = '```json\n{\n  "prompt": "a cat",\n  "ratio": "1:1",\n  "image_url": "https://user.example/reference.png"\n}\n```\n\n'
PROGRESS = "> ID: `task_01jqw`\n> 排队中.\n> 生成中.....\n> 进度 15%.\n> 进度 **64%**\n> 生成完成 ✅\n\n"
QUEUE = "Queued...\nGenerating....\n"

CASES = {
    "Markdown": (f"![cat]({CDN}/a.png)", [f"{CDN}/a.png"]),
    "webp": (f"![cat]({CDN}/a.webp)", [f"{CDN}/a.webp"]),
    "no file ending": (
        "![cat](https://files.example/v/1?id=7&sig=a%2Fb%3D)",
        ["https://files.example/v/1?id=7&sig=a%2Fb%3D"],
    ),
    "a title": (f'![cat]({CDN}/a.png "a (very) nice cat")', [f"{CDN}/a.png"]),
    "parentheses": (f"![cat]({CDN}/a(1).png)", [f"{CDN}/a(1).png"]),
    "angle brackets": (f"![cat](<{CDN}/a>)", [f"{CDN}/a"]),
    "brackets in the label": (f"![a [nice] cat]({CDN}/a)", [f"{CDN}/a"]),
    "the prompt as the label": (f"![{'a very long prompt ' * 100}]({CDN}/a)", [f"{CDN}/a"]),
    "the link as its own label": (f"![{CDN}/a]({CDN}/a)", [f"{CDN}/a"]),
    "an empty label": (f"![]({CDN}/a)", [f"{CDN}/a"]),
    "Chinese in the path": ("![猫](https://files.example/猫.png)", ["https://files.example/猫.png"]),
    "two without a gap": (f"![a]({CDN}/a.png)![b]({CDN}/b.png)", [f"{CDN}/a.png", f"{CDN}/b.png"]),
    "two of a poor name": (
        "![a](https://files.example/1/image.png)![b](https://files.example/2/image.png)",
        ["https://files.example/1/image.png", "https://files.example/2/image.png"],
    ),
    "HTML": (f'<img alt="cat" src="{CDN}/a">', [f"{CDN}/a"]),
    "a bare data url": (f"here: {DATA}", [DATA]),
    "a data url in Markdown": (f"![cat]({DATA})", [DATA]),
    "a download link alone": (f"[点击下载]({CDN}/download/a.png)", [f"{CDN}/download/a.png"]),
    "a download link without an ending": (f"[download]({CDN}/v1/123)", [f"{CDN}/v1/123"]),
    "a link that ends like a picture": (f"[cat]({CDN}/a.png?sig=1)", [f"{CDN}/a.png?sig=1"]),
    "an escaped path": (
        "[cat](https://videos.example/vg%2Fassets%2Fimg_0.webp?st=1)",
        ["https://videos.example/vg%2Fassets%2Fimg_0.webp?st=1"],
    ),
    "a bare link": (f"see {CDN}/a.png", [f"{CDN}/a.png"]),
    "a bare link in a sentence": (f"完成：{CDN}/a.png。喜欢吗", [f"{CDN}/a.png"]),
    "a bare link before a comma": (f"{CDN}/a.png, and {CDN}/b.png.", [f"{CDN}/a.png", f"{CDN}/b.png"]),
    "a JSON answer": (f'{{"data": [{{"url": "{CDN}/a.png"}}]}}', [f"{CDN}/a.png"]),
    "behind a stub": (STUB + f"![cat]({CDN}/a.png)", [f"{CDN}/a.png"]),
    "behind progress": (PROGRESS + f"![cat]({CDN}/a.png)", [f"{CDN}/a.png"]),
    "behind a queue": (QUEUE + f"![cat]({CDN}/a.png)", [f"{CDN}/a.png"]),
    "a preview in a progress line": (
        f"> 进度 35% ![preview]({CDN}/preview.png)\n\n![cat]({CDN}/a.png)",
        [f"{CDN}/a.png"],
    ),
    "the same shown twice": (f"![a]({CDN}/a.png) ![a]({CDN}/a.png)", [f"{CDN}/a.png"]),
    "its download beside it": (f"![a]({CDN}/a.png)\n[下载⏬]({CDN}/download/a.png)", [f"{CDN}/a.png"]),
    "its download under another name": (
        f"![a]({CDN}/small.webp)\n[点击下载](https://other.example/x/1.png)",
        [f"{CDN}/small.webp"],
    ),
    "the same random name elsewhere": (
        f"![a]({CDN}/JfAL6qr7iuQsq0UwLSfK.webp) [png](https://other.example/JfAL6qr7iuQsq0UwLSfK.png)",
        [f"{CDN}/JfAL6qr7iuQsq0UwLSfK.webp"],
    ),
    "the same random name in an escaped path": (
        "![a](https://a.example/x%2FJfAL6qr7iuQsq0UwLSfK.webp) [png](https://b.example/y%2FJfAL6qr7iuQsq0UwLSfK.png)",
        ["https://a.example/x%2FJfAL6qr7iuQsq0UwLSfK.webp"],
    ),
    "more downloads than pictures shown": (
        f"![a]({CDN}/a.png) [下载1]({CDN}/download/a.png) [下载2]({CDN}/download/b.png)",
        [f"{CDN}/a.png", f"{CDN}/download/b.png"],
    ),
    "a video beside it": (f"![a]({CDN}/a.png)\n[在线播放▶️]({CDN}/a.mp4) [下载]({CDN}/a.mp4)", [f"{CDN}/a.png"]),
    "a picture that is a link": (f"[![a]({CDN}/a.png)](https://shop.example/)", [f"{CDN}/a.png"]),
}
NOTHING = {
    "a refusal": "I wasn't able to generate the image. Please try again.",
    "a stub alone": STUB + "I wasn't able to generate the image because of a rate limit.",
    "progress alone": PROGRESS,
    "no url in the link": "![cat](image.png) ![cat](sandbox:/mnt/a.png) ![cat](attachment://a.png) [下载](见下文)",
    "other schemes": "![a](javascript:alert(1)) ![b](file:///etc/passwd.png) ![c](ftp://h/a.png) ![d](//h/a.png)",
    "no host": "![a](https:///a.png) ![b](https://?a.png) ![c](https://./a.png) ![d](http://[::1]/a.png)",
    "other data": "![a](data:text/html;base64,QUJD) ![b](data:image/png,abc) data:image/png;base64,",
    "another file to download": f"[点击下载]({CDN}/app.apk) [download]({CDN}/paper.pdf)",
    "a page": "see https://example.com/gallery and [docs](https://example.com/docs)",
    "an endless link": f"![a](https://h.example/{'a' * 5000}.png)",
}


@pytest.mark.parametrize(("text", "pictures"), CASES.values(), ids=CASES)
def test_pictures_are_found_once_each(text: str, pictures: list[str]) -> None:
    assert find_pictures(text) == pictures


@pytest.mark.parametrize("text", NOTHING.values(), ids=NOTHING)
def test_text_is_never_taken_for_a_picture(text: str) -> None:
    assert find_pictures(text) == []


def test_a_chat_shows_only_what_it_shows() -> None:
    text = f"![a]({CDN}/a.png) [b]({CDN}/b.png) {CDN}/c.png ![a]({CDN}/a.png)"
    assert find_pictures(text, shown_only=True) == [f"{CDN}/a.png"]


def test_stored_pictures_are_linked_to_us_wherever_they_stood() -> None:
    text = STUB + PROGRESS + f'![{CDN}/a.png]({CDN}/a.png "cat")\n[下载⏬]({CDN}/download/a.png), see {CDN}/a.png.'
    ours = "https://ours.example/api/files/1.png"
    replaced = replace_links(text, {f"{CDN}/a.png": ours})
    assert replaced == STUB + PROGRESS + f'![{ours}]({ours} "cat")\n[下载⏬]({ours}), see {ours}.'


def test_links_that_are_not_stored_stay_as_they_are() -> None:
    text = f"![a]({CDN}/a.png) [docs](https://example.com/docs) {DATA} javascript:1"
    assert replace_links(text, {f"{CDN}/b.png": "x"}) == text


def test_a_data_url_gives_way_to_a_link() -> None:
    assert replace_links(f"![a]({DATA})", {DATA: "https://ours.example/1.png"}) == "![a](https://ours.example/1.png)"


pieces = st.sampled_from(
    [
        f"{CDN}/a.png",
        "https://",
        "http://h",
        DATA,
        "data:image/",
        "![",
        "](",
        ")",
        "(",
        "[",
        "]",
        "<",
        ">",
        '"',
        " ",
        "\n",
        "> 10%",
        "下载",
        "。",
        "\\",
        "<img src=",
    ]
)


@given(st.lists(pieces, max_size=30).map("".join))
def test_whatever_is_found_is_a_url_of_the_text(text: str) -> None:
    for url in find_pictures(text):
        assert url in text
        assert url.startswith(("https://", "http://", "data:image/"))
        assert not set(url) & set(' \n"<>\\')
    assert replace_links(text, {}) == text


HOSTILE = ["![", "](", "[", "(", "![a](http://", "https://a(", "https://a()", "data:image/", "data:image/png;base64,"]
HOSTILE += [
    "https://a.b/c ",
    "\n> 进度 ",
    "a",
    '<img <img src="https://a.b/',
    "[download](https://a.b/",
    "![" * 9 + "https://a.b/",
    "%2F",
    "]" * 50 + "(https://a.b",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_takes_linear_time(piece: str) -> None:
    text = "https://a(" + piece * ((8 << 20) // len(piece))
    started = time.process_time()
    found = find_pictures(text)
    replace_links(text, dict.fromkeys(found, "x"))
    assert time.process_time() - started < 4  # about 0.6 s; a search that goes back over the text takes hours
